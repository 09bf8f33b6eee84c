using Microsoft.Extensions.Logging.Abstractions;
using SnapshotApi.Errors;
using SnapshotApi.Journal;

namespace SnapshotApi.Tests.Journal;

public sealed class JobJournalTests : IDisposable
{
    private static readonly JournalHeader Header = new(Guid.NewGuid(), Guid.NewGuid(), 1, 7);

    private readonly string _directory = Directory.CreateTempSubdirectory("journal-").FullName;
    private readonly RecordingExecutor _executor = new();

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task Undoing_goes_from_the_newest_to_the_oldest()
    {
        using JobJournal journal = Create();
        UndoAction[] actions = [new DeleteFile("/a"), new ThawServer(Header.ServerId), new DeleteFile("/b")];
        foreach (UndoAction action in actions)
        {
            journal.Add(action);
        }

        IReadOnlyList<UndoFailure> failures = await journal.UndoAllAsync();

        Assert.Empty(failures);
        Assert.Equal(actions.Reverse(), _executor.Undone);
        Assert.False(journal.HasPending);
    }

    [Fact]
    public async Task One_failing_undo_never_stops_the_others_and_stays()
    {
        using JobJournal journal = Create();
        journal.Add(new DeleteFile("/a"));
        journal.Add(new ThawServer(Header.ServerId));
        journal.Add(new DeleteFile("/b"));
        _executor.FailOn = action => action is ThawServer;

        IReadOnlyList<UndoFailure> failures = await journal.UndoAllAsync();

        Assert.IsType<ThawServer>(Assert.Single(failures).Action);
        Assert.Equal([new DeleteFile("/b"), new DeleteFile("/a")], _executor.Undone);
        Assert.IsType<ThawServer>(Assert.Single(journal.Pending).Action);
        Assert.Throws<InvalidOperationException>(journal.Delete);
    }

    [Fact]
    public async Task What_was_settled_before_a_crash_is_not_undone_after_it()
    {
        using (JobJournal journal = Create())
        {
            JournalEntry redefine = journal.Add(new RedefineServer(Header.ServerId, "<domain>é'\"\n</domain>"));
            journal.Add(new DeleteFile("/left"));
            await journal.UndoAsync(redefine, TestContext.Current.CancellationToken);
        }

        using JobJournal? reopened = Reopen();
        await reopened!.UndoAllAsync();

        Assert.Equal(Header, reopened.Header);
        Assert.Equal(
            [new RedefineServer(Header.ServerId, "<domain>é'\"\n</domain>"), new DeleteFile("/left")],
            _executor.Undone);
    }

    [Fact]
    public async Task What_the_callers_own_call_does_not_find_stays_to_be_undone()
    {
        using JobJournal journal = Create();
        JournalEntry first = journal.Add(new AbortBlockJob(Header.ServerId, "vda", "/a"));
        JournalEntry second = journal.Add(new AbortBlockJob(Header.ServerId, "vdb", "/b"));

        await journal.UndoAsync(first, _ => Task.CompletedTask, TestContext.Current.CancellationToken);
        await Assert.ThrowsAsync<SnapshotException>(() => journal.UndoAsync(
            second,
            _ => throw new SnapshotException(SnapshotErrorCode.ServerStopped, "gone"),
            TestContext.Current.CancellationToken));

        Assert.Empty(_executor.Undone);
        Assert.Same(second, Assert.Single(journal.Pending));
        Assert.Empty(await journal.UndoAllAsync());
        Assert.Equal([second.Action], _executor.Undone);
    }

    [Fact]
    public async Task A_line_cut_in_half_by_a_crash_is_dropped_and_writing_goes_on()
    {
        string path;
        using (JobJournal journal = Create())
        {
            path = journal.Path;
            journal.Add(new DeleteFile("/whole"));
        }

        await File.AppendAllTextAsync(
            path,
            "{\"sequence\":2,\"at\":\"2026-01-01T00:00:00+00:00\",\"undo\":{\"act",
            TestContext.Current.CancellationToken);
        using (JobJournal? reopened = Reopen())
        {
            reopened!.Add(new DeleteFile("/later"));
        }

        using JobJournal? again = Reopen();
        Assert.Equal([new DeleteFile("/whole"), new DeleteFile("/later")], again!.Pending.Select(e => e.Action));
    }

    [Theory]
    [InlineData("no JSON at all")]
    [InlineData("null")]
    [InlineData("{\"sequence\":2,\"at\":\"2026-01-01T00:00:00+00:00\",\"undo\":{\"action\":\"of-a-later-version\"}}")]
    [InlineData("{\"sequence\":2,\"at\":\"2026-01-01T00:00:00+00:00\",\"undo\":{}}")]
    public async Task A_line_that_is_none_of_ours_hides_no_other_and_a_copy_is_kept(string line)
    {
        string path;
        using (JobJournal journal = Create())
        {
            path = journal.Path;
            journal.Add(new DeleteFile("/before"));
            await File.AppendAllTextAsync(path, line + "\n", TestContext.Current.CancellationToken);
        }

        string rest = await File.ReadAllTextAsync(path, TestContext.Current.CancellationToken);
        await File.AppendAllTextAsync(
            path,
            rest.Split('\n')[1].Replace("/before", "/after", StringComparison.Ordinal) + "\n",
            TestContext.Current.CancellationToken);
        using JobJournal? reopened = Reopen();

        Assert.Equal([new DeleteFile("/before"), new DeleteFile("/after")], reopened!.Pending.Select(e => e.Action));
        Assert.Equal(1, reopened.UnreadableLines);
        Assert.Contains(
            line,
            await File.ReadAllTextAsync(path + JobJournal.UnreadableSuffix, TestContext.Current.CancellationToken),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_journal_that_tells_of_no_job_is_left_alone()
    {
        string path = Path.Combine(_directory, "x.jsonl");
        Directory.CreateDirectory(_directory);
        await File.WriteAllTextAsync(path, "garbage\n", TestContext.Current.CancellationToken);

        Assert.Throws<InvalidDataException>(
            () => JobJournal.Open(path, _executor, TimeProvider.System, NullLogger.Instance));
        Assert.True(File.Exists(path));
    }

    [Fact]
    public void A_journal_without_a_whole_first_line_is_removed()
    {
        string path = Path.Combine(_directory, "x.jsonl");
        File.WriteAllText(path, "{\"sequence\":0,");

        Assert.Null(JobJournal.Open(path, _executor, TimeProvider.System, NullLogger.Instance));
        Assert.False(File.Exists(path));
    }

    [Fact]
    public async Task A_kept_entry_is_settled_by_the_outcome_and_not_before()
    {
        using (JobJournal journal = Create())
        {
            journal.Keep(journal.Add(new DeleteImage("directory", Guid.NewGuid())));
            await journal.UndoAllAsync(exceptKept: true);
            Assert.True(journal.HasPending);
        }

        using (JobJournal? crashed = Reopen())
        {
            Assert.True(crashed!.HasPending);
            crashed.Keep(crashed.Pending[0]);
            crashed.SetOutcome(new { status = "succeeded" });
            Assert.False(crashed.HasPending);
        }

        using JobJournal? last = Reopen();
        Assert.False(last!.HasPending);
        Assert.Equal("succeeded", last.Outcome!.Value.GetProperty("status").GetString());
        Assert.Empty(_executor.Undone);
    }

    [Fact]
    public async Task After_a_failure_kept_entries_are_undone_like_the_others()
    {
        using JobJournal journal = Create();
        var image = new DeleteImage("directory", Guid.NewGuid());
        journal.Keep(journal.Add(image));

        await journal.UndoAllAsync();

        Assert.Equal([image], _executor.Undone);
    }

    [Fact]
    public void Directory_and_file_are_private()
    {
        string directory = Path.Combine(_directory, "j");
        using JobJournal journal = JobJournal.Create(
            directory, Header, _executor, TimeProvider.System, NullLogger.Instance);

        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(journal.Path));
        Assert.Equal(
            UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(directory));
    }

    [Fact]
    public async Task Every_instant_is_told_in_its_order()
    {
        var told = new RecordingFaults();
        using JobJournal journal = JobJournal.Create(
            _directory, Header, _executor, TimeProvider.System, NullLogger.Instance, told);
        JournalEntry thaw = journal.Add(new ThawServer(Header.ServerId));
        await journal.UndoAsync(thaw, TestContext.Current.CancellationToken);
        journal.SetOutcome("good");
        journal.Delete();

        Assert.Equal(
            [
                "Adding thaw", "Added thaw", "Undoing thaw", "Undone thaw", "Settled thaw", "Concluding outcome",
                "Concluded outcome",
                "Deleting outcome",
            ],
            told.Instants);
    }

    [Fact]
    public void An_intent_that_can_not_be_written_leaves_no_entry()
    {
        using JobJournal journal = JobJournal.Create(
            _directory,
            Header,
            _executor,
            TimeProvider.System,
            NullLogger.Instance,
            new RecordingFaults { FailAt = FaultInstant.Adding });

        Assert.Throws<SnapshotException>(() => journal.Add(new ThawServer(Header.ServerId)));

        Assert.False(journal.HasPending);
    }

    private JobJournal Create() =>
        JobJournal.Create(_directory, Header, _executor, TimeProvider.System, NullLogger.Instance);

    private JobJournal? Reopen() =>
        JobJournal.Open(
            Path.Combine(_directory, $"{Header.JobId:D}.jsonl"), _executor, TimeProvider.System, NullLogger.Instance);

    private sealed class RecordingFaults : IFaultPoint
    {
        public List<string> Instants { get; } = [];

        public FaultInstant? FailAt { get; init; }

        public void Reach(FaultInstant instant, string name)
        {
            Instants.Add($"{instant} {name}");
            if (instant == FailAt)
            {
                throw new SnapshotException(SnapshotErrorCode.NoSpace, "full");
            }
        }
    }

    private sealed class RecordingExecutor : IUndoExecutor
    {
        public List<UndoAction> Undone { get; } = [];

        public Func<UndoAction, bool> FailOn { get; set; } = _ => false;

        public Task UndoAsync(UndoAction action, CancellationToken cancellationToken)
        {
            if (FailOn(action))
            {
                throw new IOException("not now");
            }

            Undone.Add(action);
            return Task.CompletedTask;
        }
    }
}
