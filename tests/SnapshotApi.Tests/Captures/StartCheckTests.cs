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

        Assert.NotNull(await _check.FindObstacleAsync(Needing(new StartNeed(StartNeedKind.File, "CD-ROM sda", _scratch.File("a.iso"))), Token));
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

        Assert.Equal(obstacle, (await _check.WithObstacleAsync(Needing(new StartNeed(StartNeedKind.Network, "network", "lan")), Token)).StartObstacle);
    }

    [Fact]
    public async Task A_directory_that_QEMUs_user_may_not_enter_is_an_obstacle_of_what_lies_in_it()
    {
        string closed = Directory.CreateDirectory(_scratch.File("closed"), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute).FullName;
        File.SetUnixFileMode(_scratch.FullPath, (UnixFileMode)0x1ED);
        string open = _scratch.File("k");
        await File.WriteAllTextAsync(open, "", Token);
        string hidden = Path.Combine(closed, "a.iso");
        await File.WriteAllTextAsync(hidden, "", Token);
        ServerDescription server = Needing(
            new StartNeed(StartNeedKind.File, "kernel", open), new StartNeed(StartNeedKind.File, "CD-ROM sda", hidden)) with
        {
            QemuOwner = "+65534:+65534",
        };

        Assert.Equal("QEMU's user can't reach the file of its CD-ROM sda", await _check.FindObstacleAsync(server, Token));
        Assert.Null(await _check.FindObstacleAsync(server with { QemuOwner = "+0:+0" }, Token));
    }

    [Fact]
    public async Task A_server_that_is_off_needs_no_check()
    {
        ServerDescription off = Needing(new StartNeed(StartNeedKind.File, "CD-ROM sda", _scratch.File("a.iso"))) with { PowerState = ServerPowerState.ShutOff };

        Assert.Null((await _check.WithObstacleAsync(off, Token)).StartObstacle);
    }

    private static ServerDescription Needing(params StartNeed[] needs) => FakeHypervisor.Describe("web") with { Needs = needs };
}
