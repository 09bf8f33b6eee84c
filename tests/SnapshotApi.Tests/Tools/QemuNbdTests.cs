using System.Globalization;
using System.Net.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using SnapshotApi.Errors;
using SnapshotApi.Hypervisor;
using SnapshotApi.Tests.Nbd;
using SnapshotApi.Tools;

namespace SnapshotApi.Tests.Tools;

/// <summary>The real qemu-nbd, under its limits.</summary>
public sealed class QemuNbdTests : IDisposable
{
    private readonly ScratchDirectory _directory = new();
    private readonly ChildProcess _children = new(NullLogger<ChildProcess>.Instance);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _children.Dispose();
        _directory.Dispose();
    }

    [Theory(Timeout = 120_000)]
    [InlineData(70, "1M", null)]
    [InlineData(200, "1M", null)]
    [InlineData(60, "300G", null)]
    [InlineData(200, "300G", null)]
    [InlineData(200, "1G", "cluster_size=2M")]
    public async Task Chains_as_long_as_libvirts_are_served_and_read_down_to_the_base(
        int count, string size, string? options)
    {
        List<DiskLayer> layers = await CreateChainAsync(count, size, options);
        await QemuTool.IoAsync(layers[^1].Path!, "qcow2", "write -P 7 512k 64k");
        string socket = _directory.File("sock");
        await using QemuNbdServer server = await new QemuNbd(_children, TimeProvider.System).StartAsync(
            layers, socket, null, null, Token);

        string read = await QemuTool.ReadAsync(
            $"nbd+unix:///?socket={socket}", "raw", "read -P 7 512k 64k", "read -P 0 0 64k");

        Assert.DoesNotContain("failed", read, StringComparison.Ordinal);
    }

    [Fact(Timeout = 60_000)]
    public async Task A_trial_puts_up_with_a_writer_and_refuses_what_could_not_be_served()
    {
        List<DiskLayer> layers = await CreateChainAsync(3, "1M", null);
        var qemuNbd = new QemuNbd(_children, TimeProvider.System);
        string socket = _directory.File("sock");
        await using var writer = new ImageWriter(layers[0].Path!);
        await writer.OpenAsync();

        await qemuNbd.TryAsync(layers, socket, null, Token);
        SnapshotException e = await Assert.ThrowsAsync<SnapshotException>(
            () => qemuNbd.TryAsync([.. layers, new DiskLayer("file", _directory.File("none"), "qcow2")], socket, null, Token));

        Assert.Equal(SnapshotErrorCode.ToolFailed, e.Code);
    }

    [Fact(Timeout = 60_000)]
    public async Task One_that_does_not_speak_in_time_has_failed_as_a_tool()
    {
        // Opening a pipe without a writer takes for ever: qemu-nbd never comes to listen, and another who says nothing
        // is in its place.
        string pipe = _directory.File("pipe");
        using (var make = System.Diagnostics.Process.Start("mkfifo", [pipe]))
        {
            await make.WaitForExitAsync(Token);
        }

        string socket = _directory.File("sock");
        using var silent = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        silent.Bind(new UnixDomainSocketEndPoint(socket));
        silent.Listen();
        var time = new FakeTimeProvider();
        Task<QemuNbdServer> starting = new QemuNbd(_children, time).StartAsync(
            [new DiskLayer("file", pipe, "raw")], socket, null, null, Token);
        Task<Socket> accepting = silent.AcceptAsync(Token).AsTask();
        if (await Task.WhenAny(accepting, starting) == starting)
        {
            // It says why nobody connected.
            await starting;
        }

        using Socket client = await accepting;

        time.Advance(TimeSpan.FromMinutes(1));

        SnapshotException e = await Assert.ThrowsAsync<SnapshotException>(() => starting);
        Assert.Equal(
            (SnapshotErrorCode.ToolFailed, "qemu-nbd failed: it did not listen within 15 s"), (e.Code, e.Message));
    }

    private async Task<List<DiskLayer>> CreateChainAsync(int count, string size, string? options)
    {
        var layers = new List<DiskLayer>();
        for (int i = 0; i < count; i++)
        {
            string path = _directory.File(i.ToString(CultureInfo.InvariantCulture));
            string[] backing = i == 0 ? [] : ["-u", "-b", layers[0].Path!, "-F", "qcow2"];
            await QemuTool.ImgAsync(["create", "-q", "-f", "qcow2", .. options is null ? Array.Empty<string>() : ["-o", options], .. backing, path, size]);
            layers.Insert(0, new DiskLayer("file", path, "qcow2"));
        }

        return layers;
    }
}
