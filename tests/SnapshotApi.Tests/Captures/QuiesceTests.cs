using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using SnapshotApi.Captures;
using SnapshotApi.Configuration;
using SnapshotApi.Errors;
using SnapshotApi.Journal;
using SnapshotApi.Tests.Fakes;

namespace SnapshotApi.Tests.Captures;

public sealed class QuiesceTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("quiesce-").FullName;
    private readonly FakeHypervisor _hypervisor = new();
    private readonly FakeTimeProvider _time = new();
    private readonly FakeUndoExecutor _executor = new();
    private readonly JobJournal _journal;
    private readonly CaptureRequest _request;
    private readonly Quiesce _quiesce;

    public QuiesceTests()
    {
        var server = FakeHypervisor.Describe("frozen") with { HasAgentChannel = true, AgentConnected = true };
        _hypervisor.Put(server);
        _request = new CaptureRequest(
            Guid.NewGuid(), server, server.Disks, QuiesceMode.Required, false, false, () => null);
        _journal = JobJournal.Create(
            _directory, new JournalHeader(_request.JobId, server.Id, 1, 1), _executor, _time, NullLogger.Instance);
        _quiesce = new Quiesce(_hypervisor, Options.Create(new NodeOptions()), _time);
    }

    public void Dispose()
    {
        _journal.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    [Fact]
    public async Task A_guest_is_thawed_although_the_instant_hangs_on_a_disk()
    {
        using var hanging = new ManualResetEventSlim();
        var begun = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

        Task<QuiesceResult> run = Task.Run(
            () => _quiesce.RunAsync(
                _request, _journal, new NoObserver(), Hang, true, TestContext.Current.CancellationToken),
            TestContext.Current.CancellationToken);
        await begun.Task;
        _time.Advance(TimeSpan.FromSeconds(21));
        while (_hypervisor.Changes.IsEmpty)
        {
            await Task.Delay(10, TestContext.Current.CancellationToken);
        }

        // Thawed at once; but nothing is undone under what has been begun.
        Assert.False(run.IsCompleted);
        hanging.Set();
        var e = await Assert.ThrowsAsync<SnapshotException>(() => run);
        Assert.Equal(SnapshotErrorCode.TimedOut, e.Code);
        Assert.Equal([$"thaw {_request.ServerId}"], _hypervisor.Changes);

        Task Hang(CancellationToken cancellationToken)
        {
            begun.SetResult();
            hanging.Wait(CancellationToken.None);
            return Task.CompletedTask;
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_freeze_that_another_tool_has_ended_is_none(bool isRequired)
    {
        _hypervisor.Agent.Thaw = () => 0;
        Task<QuiesceResult> run = _quiesce.RunAsync(
            _request with { Quiesce = isRequired ? QuiesceMode.Required : QuiesceMode.Auto },
            _journal,
            new NoObserver(),
            _ => Task.CompletedTask,
            true,
            TestContext.Current.CancellationToken);

        if (isRequired)
        {
            Assert.Equal(
                SnapshotErrorCode.QuiesceFailed, (await Assert.ThrowsAsync<SnapshotException>(() => run)).Code);
        }
        else
        {
            Assert.Equal((Consistency.Crash, 0), ((await run).Consistency, (await run).FileSystems));
        }

        Assert.False(_journal.HasPending);
    }

    [Fact]
    public async Task The_instant_comes_before_the_thaw()
    {
        int thawedBefore = -1;

        QuiesceResult result = await _quiesce.RunAsync(
            _request,
            _journal,
            new NoObserver(),
            _ =>
            {
                thawedBefore = _hypervisor.Changes.Count;
                return Task.CompletedTask;
            },
            true,
            TestContext.Current.CancellationToken);

        Assert.Equal((Consistency.Application, 0, 1), (result.Consistency, thawedBefore, _hypervisor.Changes.Count));
        Assert.True(result.IsThawed);
        Assert.Equal(1, result.FileSystems);
    }

    [Fact]
    public async Task A_freeze_of_no_file_system_is_no_freeze()
    {
        _hypervisor.Agent.Freeze = () => 0;

        var e = await Assert.ThrowsAsync<SnapshotException>(() => RunAsync(_request));
        QuiesceResult result = await RunAsync(_request with { Quiesce = QuiesceMode.Auto });

        Assert.Equal(SnapshotErrorCode.QuiesceFailed, e.Code);
        Assert.Equal((Consistency.Crash, 0, false), (result.Consistency, result.FileSystems, _journal.HasPending));
    }

    [Fact]
    public async Task A_freeze_that_somebody_else_holds_is_left_alone()
    {
        _hypervisor.Agent.IsFrozen = () => true;

        QuiesceResult result = await RunAsync(_request with { Quiesce = QuiesceMode.Auto });

        Assert.Equal(Consistency.Crash, result.Consistency);
        Assert.Empty(_hypervisor.Changes);
        Assert.False(_journal.HasPending);
    }

    [Fact]
    public async Task A_freeze_that_is_refused_because_one_is_held_thaws_nobody()
    {
        _hypervisor.Agent.Freeze = () => throw new SnapshotException(
            SnapshotErrorCode.QuiesceFailed,
            "the guest agent could not freeze: Command guest-fsfreeze-freeze has been disabled: "
            + "the agent is in frozen state");

        QuiesceResult result = await RunAsync(_request with { Quiesce = QuiesceMode.Auto });

        Assert.Equal(Consistency.Crash, result.Consistency);
        Assert.Empty(_hypervisor.Changes);
        Assert.False(_journal.HasPending);
    }

    /// <summary>The case of decision 70, before anything was begun.</summary>
    [Fact]
    public async Task An_instant_that_can_not_come_over_a_freeze_does_not_when_freeze_and_thaw_have_failed()
    {
        _executor.Fails = true;
        _hypervisor.Agent.Thaw = () => throw new SnapshotException(
            SnapshotErrorCode.QuiesceFailed, "the guest agent did not thaw within 10 s");
        _hypervisor.Agent.Freeze = () => throw new SnapshotException(
            SnapshotErrorCode.QuiesceFailed, "the guest agent did not freeze within 10 s");
        bool hasCome = false;

        var e = await Assert.ThrowsAsync<SnapshotException>(() => _quiesce.RunAsync(
            _request with { Quiesce = QuiesceMode.Auto },
            _journal,
            new NoObserver(),
            _ =>
            {
                hasCome = true;
                return Task.CompletedTask;
            },
            canBeFrozen: false,
            TestContext.Current.CancellationToken));

        Assert.Equal((SnapshotErrorCode.QuiesceFailed, false, true), (e.Code, hasCome, _journal.HasPending));
    }

    [Fact]
    public async Task Whether_the_guest_can_be_frozen_is_asked_at_the_instant()
    {
        _hypervisor.Put(_request.Server with { AgentConnected = false });

        var gone = await Assert.ThrowsAsync<SnapshotException>(() => RunAsync(_request));
        _hypervisor.Put(_request.Server);
        QuiesceResult there = await RunAsync(
            _request with { Server = _request.Server with { AgentConnected = false } });

        Assert.Contains("not connected", gone.Message, StringComparison.Ordinal);
        Assert.Equal(Consistency.Application, there.Consistency);
    }

    [Fact(Timeout = 60_000)]
    public async Task A_guest_that_can_not_be_thawed_is_told_of_and_thawed_later()
    {
        _executor.Fails = true;
        _hypervisor.Agent.Thaw = () => throw new SnapshotException(
            SnapshotErrorCode.QuiesceFailed, "the guest agent did not thaw within 10 s");

        QuiesceResult result = await _quiesce.RunAsync(
            _request, _journal, new NoObserver(), _ => Task.CompletedTask, true, TestContext.Current.CancellationToken);

        Assert.Equal(
            (Consistency.Application, false, true), (result.Consistency, result.IsThawed, _journal.HasPending));
        _executor.Fails = false;
        while (_journal.HasPending)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            await Task.Delay(10, TestContext.Current.CancellationToken);
        }

        Assert.Equal([new ThawServer(_request.ServerId)], _executor.Undone);
    }

    private Task<QuiesceResult> RunAsync(CaptureRequest request) => _quiesce.RunAsync(
        request,
        _journal,
        new NoObserver(),
        _ => Task.CompletedTask,
        canBeFrozen: true,
        TestContext.Current.CancellationToken);
}
