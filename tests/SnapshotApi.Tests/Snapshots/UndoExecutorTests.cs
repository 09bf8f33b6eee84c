using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using SnapshotApi.Captures;
using SnapshotApi.Configuration;
using SnapshotApi.Errors;
using SnapshotApi.Hypervisor;
using SnapshotApi.Journal;
using SnapshotApi.Snapshots;
using SnapshotApi.Tests.Fakes;
using SnapshotApi.Tools;

namespace SnapshotApi.Tests.Snapshots;

/// <summary>What real libvirt does only once in a long while; the rest of the clean-up is tested on real guests.</summary>
public sealed class UndoExecutorTests : IDisposable
{
    private const string Socket = "/run/snapshotapi/backup.sock";

    private readonly ChildProcess _children = new(NullLogger<ChildProcess>.Instance);
    private readonly FakeHypervisor _hypervisor = new() { BackupXml = Backup(Socket) };
    private readonly UndoExecutor _executor;
    private int _aborts;

    public UndoExecutorTests()
    {
        IOptions<NodeOptions> node = Options.Create(new NodeOptions());
        var time = new HastyTimeProvider();
        var quiesce = new Quiesce(_hypervisor, node, time);
        var pause = new GuestPause(_hypervisor, new GuestClock(_hypervisor, node, time, NullLogger<GuestClock>.Instance), time);
        var files = new OwnFiles(node, Options.Create(new StoresOptions()));
        var qemuImg = new QemuImg(_children);
        var backup = new BackupCapture(
            _hypervisor, quiesce, GuestDirectory.OfSystem, qemuImg, node, time, NullLogger<BackupCapture>.Instance);
        var mirror = new MirrorCapture(
            _hypervisor, quiesce, pause, new MirrorWait(_hypervisor, node, time), qemuImg, new QemuNbd(_children, time), node, time);
        _executor = new UndoExecutor(
            _hypervisor,
            [
                UndoHandler.Of<ThawServer>(quiesce),
                UndoHandler.Of<UnpauseServer>(pause),
                UndoHandler.Of<EndBackup>(backup),
                UndoHandler.Of<ResumeAfterIoError>(backup),
                UndoHandler.Of<RedefineServer>(mirror),
                UndoHandler.Of<DeleteFile>(files),
            ],
            NullLogger<UndoExecutor>.Instance);
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _children.Dispose();

    [Fact]
    public async Task A_backup_is_aborted_again_until_it_ends()
    {
        _hypervisor.OnAbort = () => _hypervisor.BackupXml = ++_aborts < 3 ? Backup(Socket) : null;

        await EndAsync();

        Assert.Equal(3, _aborts);
    }

    [Fact]
    public async Task A_backup_that_never_ends_is_told()
    {
        _hypervisor.OnAbort = () => _aborts++;

        var e = await Assert.ThrowsAsync<SnapshotException>(EndAsync);

        Assert.Equal(SnapshotErrorCode.HypervisorError, e.Code);
        Assert.InRange(_aborts, 10, 40);
    }

    [Fact]
    public async Task A_backup_that_ends_by_itself_before_it_is_aborted_has_ended()
    {
        _hypervisor.OnAbort = () =>
        {
            _aborts++;
            _hypervisor.BackupXml = null;
            throw new SnapshotException(SnapshotErrorCode.HypervisorError, "no job is active on the domain");
        };

        await EndAsync();

        Assert.Equal(1, _aborts);
    }

    [Fact]
    public async Task An_abort_that_fails_while_the_backup_goes_on_is_told()
    {
        _hypervisor.OnAbort = () => throw new SnapshotException(SnapshotErrorCode.HypervisorError, "cannot acquire state change lock");

        var e = await Assert.ThrowsAsync<SnapshotException>(EndAsync);

        Assert.Equal("cannot acquire state change lock", e.Message);
    }

    [Fact]
    public async Task A_backup_of_somebody_else_is_left_alone()
    {
        _hypervisor.BackupXml = Backup("/run/other.sock");
        _hypervisor.OnAbort = () => _aborts++;

        await EndAsync();

        Assert.Equal(0, _aborts);
    }

    [Theory]
    [InlineData("Paused")]
    [InlineData("Suspended")]
    [InlineData("Saved")]
    [InlineData("Other")]
    public async Task A_guest_whose_agent_can_not_be_asked_now_is_not_thawed_yet(string state)
    {
        ServerDescription server = Put(s => s with { PowerState = Enum.Parse<ServerPowerState>(state) });

        await Assert.ThrowsAsync<SnapshotException>(() => _executor.UndoAsync(new ThawServer(server.Id), Token));

        Assert.Empty(_hypervisor.Changes);
    }

    [Fact]
    public async Task Only_a_guest_without_memory_has_nothing_to_thaw()
    {
        ServerDescription off = Put(s => s with { PowerState = ServerPowerState.ShutOff });
        ServerDescription runs = Put(s => s);

        await _executor.UndoAsync(new ThawServer(off.Id), Token);
        await _executor.UndoAsync(new ThawServer(Guid.NewGuid()), Token);
        await _executor.UndoAsync(new ThawServer(runs.Id), Token);

        Assert.Equal([$"thaw {runs.Id}"], _hypervisor.Changes);
    }

    [Theory]
    [InlineData("user", true)]
    [InlineData("io_error", false)]
    [InlineData("dump", false)]
    public async Task Only_our_own_pause_is_undone(string reason, bool isResumed)
    {
        ServerDescription server = Put(s => s with { PowerState = ServerPowerState.Paused, StateReason = reason });

        await _executor.UndoAsync(new UnpauseServer(server.Id), Token);

        Assert.Equal(isResumed, !_hypervisor.Changes.IsEmpty);
    }

    /// <summary>A save that was cancelled after minutes: the guest's clock stood as long as its CPUs.</summary>
    [Theory]
    [InlineData(60, true)]
    [InlineData(0, false)]
    public async Task A_guest_that_stood_for_long_has_its_clock_set(int seconds, bool isSet)
    {
        var set = new TaskCompletionSource();
        _hypervisor.Agent.SetClock = () =>
        {
            set.SetResult();
            return TimeSpan.Zero;
        };
        ServerDescription server = Put(s => s with { PowerState = ServerPowerState.Paused, StateReason = "user", HasAgentChannel = true, AgentConnected = true });

        await _executor.UndoAsync(new UnpauseServer(server.Id, DateTimeOffset.UtcNow.AddSeconds(-seconds)), Token);
        await Task.WhenAny(set.Task, Task.Delay(isSet ? 30_000 : 500, Token));

        Assert.Equal(isSet, set.Task.IsCompleted);
    }

    // The abort of the backup and the resume are two intents: killed in between, the second is still there.
    [Theory]
    [InlineData(false, "io_error", true)]
    [InlineData(true, "io_error", false)]
    [InlineData(false, "user", false)]
    public async Task A_guest_paused_by_our_scratch_file_goes_on_although_the_backup_is_over_already(bool wasPaused, string reason, bool isResumed)
    {
        _hypervisor.BackupXml = null;
        ServerDescription server = Put(s => s with { PowerState = ServerPowerState.Paused, StateReason = reason });

        await _executor.UndoAsync(new EndBackup(server.Id, Socket), Token);
        await _executor.UndoAsync(new ResumeAfterIoError(server.Id, wasPaused), Token);

        Assert.Equal(isResumed, !_hypervisor.Changes.IsEmpty);
    }

    [Fact]
    public async Task A_guest_that_our_scratch_file_may_still_pause_is_not_forgotten()
    {
        ServerDescription server = Put(s => s with { PowerState = ServerPowerState.Running });
        var resume = new ResumeAfterIoError(server.Id, WasPausedForIoError: false, Socket);

        await Assert.ThrowsAsync<SnapshotException>(() => _executor.UndoAsync(resume, Token));

        _hypervisor.BackupXml = Backup("/run/another.sock");
        await _executor.UndoAsync(resume, Token);
        Assert.Empty(_hypervisor.Changes);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_server_is_started_with_its_host_again_also_when_it_was_defined_before_that_was_said(bool isPersistent)
    {
        ServerDescription server = Put(s => s with { IsPersistent = isPersistent });

        await _executor.UndoAsync(new RedefineServer(server.Id, "<domain/>", IsAutostart: true), Token);

        Assert.Equal(
            isPersistent ? [$"autostart True {server.Id}"] : [$"define {server.Id}", $"autostart True {server.Id}"], _hypervisor.Changes);
    }

    [Fact]
    public async Task What_is_in_flight_on_the_guest_is_waited_for_first()
    {
        var inFlight = new TaskCompletionSource();
        ServerDescription server = Put(s => s with { PowerState = ServerPowerState.Running });
        _hypervisor.InFlight = inFlight.Task;

        Task undo = _executor.UndoAsync(new UnpauseServer(server.Id), Token);

        // The suspend has its effect only now.
        Assert.False(undo.IsCompleted);
        _hypervisor.Put(server with { PowerState = ServerPowerState.Paused, StateReason = "user" });
        inFlight.SetResult();
        await undo;
        Assert.Equal([$"resume {server.Id}"], _hypervisor.Changes);
    }

    [Fact]
    public async Task A_file_whose_directory_is_gone_is_gone()
    {
        await _executor.UndoAsync(new DeleteFile("/var/lib/snapshotapi/run/that-is-not-there/0.scratch"), Token);
    }

    private ServerDescription Put(Func<ServerDescription, ServerDescription> change) =>
        _hypervisor.Put(change(FakeHypervisor.Describe($"s{Guid.NewGuid():N}")), raiseEvent: false);

    private static string Backup(string socket) => $"<domainbackup mode='pull'><server transport='unix' socket='{socket}'/></domainbackup>";

    private Task EndAsync() => _executor.UndoAsync(new EndBackup(Guid.NewGuid(), Socket), Token);
}
