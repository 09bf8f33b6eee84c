using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.Logging.Abstractions;
using SnapshotApi.Errors;
using SnapshotApi.Hypervisor;
using SnapshotApi.Linux;
using SnapshotApi.Tests.Nbd;
using SnapshotApi.Tools;

namespace SnapshotApi.Tests.Tools;

/// <summary>Real child processes of a service that is root, as on a node.</summary>
public sealed class ChildRightsTests : IDisposable
{
    private const uint Nobody = 65534;
    private const uint Qemu = 64055;

    private readonly ScratchDirectory _directory = new();
    private readonly ChildProcess _children = new(NullLogger<ChildProcess>.Instance);

    public ChildRightsTests()
    {
        Assert.SkipUnless(ChildRights.CanChange, "only a service that may change users gives up rights");

        // The directories of a job can be passed through by everyone.
        File.SetUnixFileMode(_directory.FullPath, LinuxFile.PrivateDirectory | UnixFileMode.OtherExecute);
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _children.Dispose();
        _directory.Dispose();
    }

    [Fact(Timeout = 60_000)]
    public async Task A_child_gets_nothing_of_the_services_environment()
    {
        string environment = await _children.ReadAsync("env", [], ChildLimits.Metadata, Token);

        string[] names = [.. environment.Trim().Split('\n').Select(line => line.Split('=')[0]).Order()];
        Assert.Equal(["LANG", "PATH"], names);
    }

    [Theory(Timeout = 60_000)]
    [InlineData("none", 0UL)]
    [InlineData("reads", 1UL << (int)LinuxCapability.DacReadSearch)]
    [InlineData("writes", 1UL << (int)LinuxCapability.DacOverride)]
    public async Task A_child_has_another_user_and_at_most_one_capability(string kind, ulong capabilities)
    {
        ChildRights rights = kind switch
        {
            "reads" => ChildRights.ReadsAll,
            "writes" => ChildRights.WritesAll,
            _ => ChildRights.Of((Nobody, Nobody)),
        };

        string status = await _children.ReadAsync(
            "cat", ["/proc/self/status"], ChildLimits.Metadata with { Rights = rights }, Token);

        Assert.Matches(@"Uid:\s65534\s65534\s65534\s65534", status);
        Assert.Matches(@"Gid:\s65534\s65534\s65534\s65534", status);
        Assert.Matches(@"Groups:\s*\n", status);
        Assert.Matches(@"NoNewPrivs:\s1", status);
        foreach (string set in new[] { "CapInh", "CapPrm", "CapEff", "CapAmb" })
        {
            Assert.Contains($"{set}:\t{capabilities:x16}", status, StringComparison.Ordinal);
        }
    }

    [Fact(Timeout = 60_000)]
    public async Task A_reader_of_all_files_changes_none()
    {
        string path = _directory.File("secret");
        await File.WriteAllTextAsync(path, "mine", Token);
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        ChildLimits limits = ChildLimits.Metadata with { Rights = ChildRights.ReadsAll };

        Assert.Equal("mine", await _children.ReadAsync("cat", [path], limits, Token));
        await Assert.ThrowsAsync<SnapshotException>(
            () => _children.RunAsync("dd", ["if=/dev/zero", $"of={path}", "count=1", "conv=notrunc"], limits, Token));
        Assert.Equal("mine", await File.ReadAllTextAsync(path, Token));
    }

    [Fact(Timeout = 60_000)]
    public async Task A_child_of_another_user_dies_with_the_service()
    {
        // Of no other process of this machine.
        string seconds = string.Create(CultureInfo.InvariantCulture, $"300.{Random.Shared.NextInt64()}");
        await using RunningChild child = await _children.StartAsync(
            "sleep", [seconds], ChildLimits.Metadata with { Rights = ChildRights.ReadsAll }, CancellationToken.None);
        using Process sleep = await FindAsync($"sleep\0{seconds}");

        _children.Dispose();

        await sleep.WaitForExitAsync(Token);
        Assert.True(sleep.HasExited);
    }

    /// <summary>A disk that QEMU's user may read takes no capability; root's own takes one, to read and no more.</summary>
    [Theory(Timeout = 60_000)]
    [InlineData(Qemu, 0UL)]
    [InlineData(0U, 1UL << (int)LinuxCapability.DacReadSearch)]
    public async Task A_disk_is_served_with_the_least_rights_that_open_its_chain(uint owner, ulong capabilities)
    {
        List<DiskLayer> chain = await CreateChainAsync(owner);
        string socket = await CreateSocketDirectoryAsync();
        await using QemuNbdServer server = await new QemuNbd(_children, TimeProvider.System).StartAsync(
            chain, socket, null, ChildRights.ReaderFor((Qemu, Qemu)), Token);

        using Process process = await FindAsync($"--socket={socket}");
        string status = await File.ReadAllTextAsync($"/proc/{process.Id}/status", Token);
        string environment = await File.ReadAllTextAsync($"/proc/{process.Id}/environ", Token);
        string read = await QemuTool.ReadAsync(
            $"nbd+unix:///?socket={socket}", "raw", "read -P 7 512k 64k", "read -P 0 0 64k");

        Assert.DoesNotContain("failed", read, StringComparison.Ordinal);
        Assert.Matches(@"Uid:\s64055\s64055\s64055\s64055", status);
        Assert.Contains($"CapEff:\t{capabilities:x16}", status, StringComparison.Ordinal);
        Assert.Equal(
            ["LANG", "PATH"],
            environment.Split('\0', StringSplitOptions.RemoveEmptyEntries).Select(v => v.Split('=')[0]).Order());
    }

    [Fact(Timeout = 60_000)]
    public async Task Nobody_but_the_service_connects_to_the_socket()
    {
        List<DiskLayer> chain = await CreateChainAsync(Qemu);
        string socket = await CreateSocketDirectoryAsync();
        await using QemuNbdServer server = await new QemuNbd(_children, TimeProvider.System).StartAsync(
            chain, socket, null, ChildRights.ReaderFor((Qemu, Qemu)), Token);

        SnapshotException e = await Assert.ThrowsAsync<SnapshotException>(() => _children.RunAsync(
            "qemu-img",
            ["info", $"nbd+unix:///?socket={socket}"],
            ChildLimits.Metadata with { Rights = ChildRights.Of((Qemu, Qemu)) },
            Token));

        Assert.Contains("Permission denied", e.Message, StringComparison.Ordinal);
        Assert.Contains(HostText.Placeholder, e.Message, StringComparison.Ordinal);
    }

    [Fact(Timeout = 60_000)]
    public async Task What_is_made_for_us_is_ours()
    {
        string path = _directory.File("made");

        await new QemuImg(_children).CreateOverlayAsync(path, 1 << 20, null, Token);

        string owner = await _children.ReadAsync("stat", ["-c", "%u:%g %a", path], ChildLimits.Metadata, Token);
        Assert.Equal("0:0 600", owner.Trim());
        Assert.Equal(
            1 << 20, (await new QemuImg(_children).InspectAsync(path, "qcow2", Token)).VirtualSizeBytes);
    }

    private async Task<List<DiskLayer>> CreateChainAsync(uint owner)
    {
        string below = _directory.File("below");
        string top = _directory.File("top");
        await QemuTool.ImgAsync("create", "-q", "-f", "qcow2", below, "1M");
        await QemuTool.IoAsync(below, "qcow2", "write -P 7 512k 64k");
        await QemuTool.ImgAsync("create", "-q", "-f", "qcow2", "-u", "-b", below, "-F", "qcow2", top, "1M");
        foreach (string path in new[] { below, top })
        {
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            LinuxFile.ChangeOwner(path, owner, owner);
        }

        return [new DiskLayer("file", top, "qcow2"), new DiskLayer("file", below, "qcow2")];
    }

    private Task<string> CreateSocketDirectoryAsync()
    {
        string directory = Directory.CreateDirectory(_directory.File("run"), LinuxFile.PrivateDirectory).FullName;
        LinuxFile.ChangeOwner(directory, Qemu, Qemu);
        return Task.FromResult(Path.Combine(directory, "sock"));
    }

    private static async Task<Process> FindAsync(string argument)
    {
        while (true)
        {
            foreach (string directory in Directory.EnumerateDirectories("/proc"))
            {
                if (int.TryParse(Path.GetFileName(directory), CultureInfo.InvariantCulture, out int id)
                    && CommandLineOf(id) is { } line && line.Contains(argument, StringComparison.Ordinal)
                    && !line.StartsWith("set", StringComparison.Ordinal)
                    && !line.StartsWith("prlimit", StringComparison.Ordinal))
                {
                    return Process.GetProcessById(id);
                }
            }

            await Task.Delay(5, Token);
        }
    }

    private static string? CommandLineOf(int id)
    {
        try
        {
            return File.ReadAllText($"/proc/{id.ToString(CultureInfo.InvariantCulture)}/cmdline");
        }
        catch (IOException)
        {
            return null;
        }
    }
}
