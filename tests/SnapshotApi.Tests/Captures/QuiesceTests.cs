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
    private readonly FakeTimeProvider _time = new();
    private readonly FakeUndoExecutor _executor = new();
    private readonly JobJournal _journal;
    private readonly CaptureRequest _request;
    private readonly Quiesce _quiesce;

    public QuiesceTests()
    {
        var server = FakeHypervisor.Describe("frozen") with { HasAgentChannel = true, AgentConnected = true };
        _request = new CaptureRequest(Guid.NewGuid(), server, server.Disks, QuiesceMode.Required, false, false, () => null);
        _journal = JobJournal.Create(
            _directory, new JournalHeader(_request.JobId, server.Id, 1, 1), _executor, _time, NullLogger.Instance);
        _quiesce = new Quiesce(new FakeHypervisor(), Options.Create(new NodeOptions()), _time);
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
            () => _quiesce.RunAsync(_request, _journal, new NoObserver(), Hang, TestContext.Current.CancellationToken), TestContext.Current.CancellationToken);
        await begun.Task;
        _time.Advance(TimeSpan.FromSeconds(21));

        var e = await Assert.ThrowsAsync<SnapshotException>(() => run);
        hanging.Set();
        Assert.Equal(SnapshotErrorCode.TimedOut, e.Code);
        Assert.Equal([new ThawServer(_request.ServerId)], _executor.Undone);

        Task Hang(CancellationToken cancellationToken)
        {
            begun.SetResult();
            hanging.Wait(CancellationToken.None);
            return Task.CompletedTask;
        }
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
                thawedBefore = _executor.Undone.Count;
                return Task.CompletedTask;
            },
            TestContext.Current.CancellationToken);

        Assert.Equal((Consistency.Application, 0, 1), (result.Consistency, thawedBefore, _executor.Undone.Count));
        Assert.True(result.IsThawed);
    }

    [Fact(Timeout = 60_000)]
    public async Task A_guest_that_can_not_be_thawed_is_told_of_and_thawed_later()
    {
        _executor.Fails = true;

        QuiesceResult result = await _quiesce.RunAsync(
            _request, _journal, new NoObserver(), _ => Task.CompletedTask, TestContext.Current.CancellationToken);

        Assert.Equal((Consistency.Application, false, true), (result.Consistency, result.IsThawed, _journal.HasPending));
        _executor.Fails = false;
        while (_journal.HasPending)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            await Task.Delay(10, TestContext.Current.CancellationToken);
        }

        Assert.Equal([new ThawServer(_request.ServerId)], _executor.Undone);
    }

    private sealed class NoObserver : ICaptureObserver
    {
        public void StepStarted(CaptureStep step, string? detail = null)
        {
        }

        public void Warn(string message)
        {
        }

        public void CopyAdvanced(string target, long sizeBytes, long doneBytes, long endBytes)
        {
        }
    }
}
