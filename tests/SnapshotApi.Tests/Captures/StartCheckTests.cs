using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using SnapshotApi.Captures;
using SnapshotApi.Hypervisor;
using SnapshotApi.Tests.Fakes;
using SnapshotApi.Tests.Nbd;
using SnapshotApi.Tools;

namespace SnapshotApi.Tests.Captures;

public sealed class StartCheckTests : IDisposable
{
    private readonly ScratchDirectory _scratch = new();
    private readonly FakeHypervisor _hypervisor = new();
    private readonly ChildProcess _children = new(NullLogger<ChildProcess>.Instance);
    private readonly StartCheck _check;

    public StartCheckTests() => _check = new StartCheck(_hypervisor, _children);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _children.Dispose();
        _scratch.Dispose();
    }

    [Fact]
    public async Task A_file_that_is_gone_is_named_without_its_path()
    {
        ServerDescription server = Needing(new StartNeed(StartNeedKind.File, "CD-ROM sda", _scratch.File("a.iso")));

        string? gone = (await _check.WithObstacleAsync(server, Token)).StartObstacle;
        await File.WriteAllTextAsync(_scratch.File("a.iso"), "", Token);

        Assert.Equal("the file of its CD-ROM sda is not there", gone);
        Assert.Null((await _check.WithObstacleAsync(server, Token)).StartObstacle);
    }

    [Fact]
    public async Task A_link_that_leads_nowhere_is_a_file_that_is_gone()
    {
        File.CreateSymbolicLink(_scratch.File("a.iso"), _scratch.File("nothing"));

        ServerDescription server = Needing(new StartNeed(StartNeedKind.File, "CD-ROM sda", _scratch.File("a.iso")));
        Assert.NotNull(await _check.FindObstacleAsync(server, Token));
    }

    [Theory]
    [InlineData(null, "its network 'lan' is not defined on this node")]
    [InlineData(false, "its network 'lan' is not active")]
    [InlineData(true, null)]
    public async Task A_network_must_be_active(bool? isActive, string? obstacle)
    {
        if (isActive is { } state)
        {
            _hypervisor.Networks["lan"] = state;
        }

        ServerDescription server = Needing(new StartNeed(StartNeedKind.Network, "network", "lan"));
        Assert.Equal(obstacle, (await _check.WithObstacleAsync(server, Token)).StartObstacle);
    }

    [Theory]
    [InlineData("lost", "libvirt has not the secret of its disk vdb any more")]
    [InlineData("kept", null)]
    public async Task A_secret_must_be_there(string name, string? obstacle)
    {
        _hypervisor.Secrets.Add("kept");

        ServerDescription server = Needing(new StartNeed(StartNeedKind.Secret, "disk vdb", name));
        Assert.Equal(obstacle, (await _check.WithObstacleAsync(server, Token)).StartObstacle);
    }

    [Theory]
    [InlineData("192.0.2.77", "the address of its vnc display is not one of this host")]
    [InlineData("127.0.0.1", null)]
    [InlineData("0.0.0.0", null)]
    [InlineData("::", null)]
    public async Task A_display_listens_on_an_address_of_this_host(string address, string? obstacle)
    {
        ServerDescription server = Needing(new StartNeed(StartNeedKind.OwnAddress, "vnc display", address));

        Assert.Equal(obstacle, (await _check.WithObstacleAsync(server, Token)).StartObstacle);
    }

    [Fact]
    public async Task Somebody_must_listen_where_QEMU_connects_to()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        int port = ((IPEndPoint)listener.LocalEndpoint).Port;
        ServerDescription server = Needing(new StartNeed(StartNeedKind.Listener, "serial device", $"127.0.0.1|{port}"));

        string? heard = await _check.FindObstacleAsync(server, Token);
        listener.Stop();

        Assert.Null(heard);
        Assert.Equal(
            "nobody answers at the address of its serial device", await _check.FindObstacleAsync(server, Token));
        Assert.Equal(
            "nobody listens on the socket of its serial device",
            await _check.FindObstacleAsync(
                Needing(new StartNeed(StartNeedKind.Listener, "serial device", _scratch.File("console"))), Token));
    }

    [Fact]
    public async Task A_directory_that_QEMUs_user_may_not_enter_is_an_obstacle_of_what_lies_in_it()
    {
        string closed = Directory.CreateDirectory(
            _scratch.File("closed"),
            UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute).FullName;
        File.SetUnixFileMode(_scratch.FullPath, (UnixFileMode)0x1ED);
        string open = _scratch.File("k");
        await File.WriteAllTextAsync(open, "", Token);
        string hidden = Path.Combine(closed, "a.iso");
        await File.WriteAllTextAsync(hidden, "", Token);
        ServerDescription server = Needing(
            new StartNeed(StartNeedKind.File, "kernel", open),
            new StartNeed(StartNeedKind.File, "CD-ROM sda", hidden)) with
        {
            QemuOwner = "+65534:+65534",
        };

        Assert.Equal(
            "QEMU's user can't reach the file of its CD-ROM sda", await _check.FindObstacleAsync(server, Token));
        Assert.Null(await _check.FindObstacleAsync(server with { QemuOwner = "+0:+0" }, Token));
    }

    [Fact]
    public async Task A_server_that_is_off_needs_no_check()
    {
        ServerDescription off = Needing(new StartNeed(StartNeedKind.File, "CD-ROM sda", _scratch.File("a.iso"))) with
        {
            PowerState = ServerPowerState.ShutOff,
        };

        Assert.Null((await _check.WithObstacleAsync(off, Token)).StartObstacle);
    }

    private static ServerDescription Needing(params StartNeed[] needs) =>
        FakeHypervisor.Describe("web") with { Needs = needs };
}
