using System.Collections.Concurrent;
using System.Collections.Immutable;
using SnapshotApi.Hypervisor;
using SnapshotApi.Journal;
using SnapshotApi.Persistence;

namespace SnapshotApi.Jobs;

/// <summary>
/// Keeps journals until nothing is left of them: what they hold is undone, which needs libvirt only, then the outcome
/// is delivered, then the file is deleted. At start it takes over the journals of a former process. Servers are undone
/// in parallel: one whose QEMU hangs keeps no other from being thawed, and not the service from starting.
/// </summary>
internal sealed partial class JournalRecovery(
    NodeDirectories directories,
    IUndoExecutor executor,
    IHypervisor hypervisor,
    OutcomeDelivery delivery,
    JobTable jobs,
    JobEnqueuer enqueuer,
    DatabaseListener listener,
    IFaultPoint faults,
    IOptions<JobsOptions> options,
    TimeProvider time,
    ILogger<JournalRecovery> logger) : IDisposable
{
    private static readonly TimeSpan FirstRetryDelay = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestRetryDelay = TimeSpan.FromSeconds(30);

    // A guest may be frozen or paused: an undo is tried more often than a database that is away.
    private static readonly TimeSpan LongestUndoDelay = TimeSpan.FromSeconds(5);

    // What can be undone at all takes a second or two; a guest that hangs must not keep the others waiting.
    private static readonly TimeSpan RecoverLimit = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan RoundLimit = TimeSpan.FromSeconds(5);

    // Longer than an undo that meets no obstacle.
    private static readonly TimeSpan LongUndo = TimeSpan.FromSeconds(2);

    // A libvirtd that is up answers in milliseconds; one that is started by its socket takes a second or two.
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan ConnectPollInterval = TimeSpan.FromMilliseconds(50);

    private readonly WakeSignal _wake = new(time);
    private readonly ConcurrentDictionary<Guid, Task> _undoing = new();
    private ImmutableList<KeptJournal> _kept = [];
    private ImmutableList<string> _unreadable = [];

    /// <summary>What could not be undone yet, in words for an operator.</summary>
    public IReadOnlyList<string> Problems => [.. _unreadable, .. _kept.SelectMany(ProblemsOf)];

    /// <summary>A journal of the job is kept: the job is not to be run.</summary>
    public bool HoldsJob(Guid jobId) => _kept.Exists(k => k.JobId == jobId);

    /// <summary>Something is left to undo on the server: nothing is to be begun on it.</summary>
    public bool HoldsServer(Guid serverId) =>
        _kept.Exists(k => k.ServerId == serverId && k.Journal.Pending.Any(e => e.Action is GuestUndo));

    /// <summary>
    /// Takes over every journal of a former process and begins to undo what it holds. Needs no database. To be awaited
    /// before any job is taken; what takes longer goes on beside the service, and holds its server only.
    /// </summary>
    public async Task RecoverAsync(CancellationToken cancellationToken)
    {
        if (!Directory.Exists(directories.Journals))
        {
            return;
        }

        foreach (string path in FilesOf("*.jsonl"))
        {
            cancellationToken.ThrowIfCancellationRequested();
            try
            {
                if (JobJournal.Open(path, executor, time, logger, faults) is { } journal)
                {
                    bool hasOutcome = journal.Outcome is not null;
                    LogFound(journal.Header.JobId, journal.Header.ServerId, journal.Pending.Count, hasOutcome);
                    Keep(new KeptJournal(journal) { NeedsDelivery = !journal.Header.IsOfCheck });
                }
            }
            catch (Exception e) when (e is IOException or InvalidDataException or UnauthorizedAccessException)
            {
                // One that can't be read must not keep the others from being undone.
                LogUnreadable(e, path);
                AddUnreadable(path, "can't be read: what it holds is not undone");
            }
        }

        // Also those of former starts, until somebody has looked at them and taken them away.
        foreach (string path in FilesOf("*" + JobJournal.UnreadableSuffix))
        {
            LogLinesUnreadable(path);
            AddUnreadable(path, "has lines that can't be read: what they hold is not undone");
        }

        if (_kept.Exists(k => k.Journal.HasPending))
        {
            await WaitForHypervisorAsync(cancellationToken).ConfigureAwait(false);
        }

        await UndoServersAsync(RecoverLimit, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Takes over the journal of an ended run: delivers its outcome and deletes it, now or later.</summary>
    /// <param name="journal">The journal, which holds the outcome.</param>
    /// <param name="needsDelivery">False for a run that lost its job: it has no outcome to deliver.</param>
    /// <param name="cancellationToken">Cancels the first try; later ones follow.</param>
    public async Task SettleAsync(JobJournal journal, bool needsDelivery, CancellationToken cancellationToken)
    {
        var kept = new KeptJournal(journal) { NeedsDelivery = needsDelivery };
        if (!await TryFinishAsync(kept, cancellationToken).ConfigureAwait(false))
        {
            Keep(kept);
            _wake.Set();
        }
    }

    /// <summary>Undoes all that a check has done, and keeps of its journal what can't be undone yet.</summary>
    /// <returns>What could not be undone; empty when nothing is left.</returns>
    public async Task<IReadOnlyList<UndoFailure>> EndCheckAsync(JobJournal journal)
    {
        IReadOnlyList<UndoFailure> failures = await journal.UndoAllAsync().ConfigureAwait(false);
        await SettleAsync(journal, needsDelivery: false, CancellationToken.None).ConfigureAwait(false);
        return failures;
    }

    /// <summary>Tries again, with back-off, until cancelled. Only after <see cref="RecoverAsync"/>.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        // The database, or libvirt, may be back: no need to wait for the next try.
        using IDisposable subscription = listener.Subscribe(Channels.Job, payload => WakeWhen(payload is null));
        hypervisor.InventoryChanged += OnInventoryChanged;
        try
        {
            TimeSpan delay = FirstRetryDelay;
            while (true)
            {
                // Outcomes wait for no guest: they are delivered one after the other.
                await UndoServersAsync(RoundLimit, cancellationToken).ConfigureAwait(false);
                await FinishAsync(cancellationToken).ConfigureAwait(false);
                bool isDone = _kept.IsEmpty;
                TimeSpan wait = isDone ? LongestRetryDelay : delay;
                bool woken = await _wake.WaitAsync(wait, cancellationToken).ConfigureAwait(false);
                TimeSpan longest = _kept.Exists(k => k.Journal.HasPending) ? LongestUndoDelay : LongestRetryDelay;
                delay = woken || isDone ? FirstRetryDelay : delay * 2 < longest ? delay * 2 : longest;
            }
        }
        finally
        {
            hypervisor.InventoryChanged -= OnInventoryChanged;
        }
    }

    public void Dispose() => _kept.ForEach(k => k.Journal.Dispose());

    private IEnumerable<string> FilesOf(string pattern) =>
        Directory.EnumerateFiles(directories.Journals, pattern).Order(StringComparer.Ordinal);

    private void AddUnreadable(string path, string problem) =>
        _unreadable = _unreadable.Add($"journal {Path.GetFileName(path)} {problem}");

    /// <summary>libvirt is being connected to while the service starts: a try before that would fail.</summary>
    private async Task WaitForHypervisorAsync(CancellationToken cancellationToken)
    {
        long start = time.GetTimestamp();
        while (!hypervisor.IsConnected && time.GetElapsedTime(start) < ConnectTimeout)
        {
            await Task.Delay(ConnectPollInterval, time, cancellationToken).ConfigureAwait(false);
        }
    }

    // Null: the connection was lost or came back. Changes of servers do not count: undoing makes them.
    private void OnInventoryChanged(Guid? serverId) => WakeWhen(serverId is null);

    private void WakeWhen(bool condition)
    {
        if (condition && !_kept.IsEmpty)
        {
            _wake.Set();
        }
    }

    private void Keep(KeptJournal kept) =>
        ImmutableInterlocked.Update(ref _kept, (list, item) => list.Add(item), kept);

    /// <summary>Undoes all servers in parallel; what takes longer than the limit goes on.</summary>
    private async Task UndoServersAsync(TimeSpan limit, CancellationToken cancellationToken)
    {
        List<Task> rounds = [.. _kept.Select(k => k.ServerId).Distinct().Select(UndoServerAsync)];
        await Task.WhenAll(rounds).WaitAsync(limit, time, cancellationToken)
            .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        cancellationToken.ThrowIfCancellationRequested();
    }

    /// <summary>Undoes the journals of a server, newest first; one try at a time.</summary>
    private Task UndoServerAsync(Guid serverId) => _undoing.AddOrUpdate(
        serverId,
        id => UndoKeptAsync(id),
        (id, last) => last.IsCompleted ? UndoKeptAsync(id) : last);

    private async Task UndoKeptAsync(Guid serverId)
    {
        foreach (KeptJournal kept in _kept.Where(k => k.ServerId == serverId && k.Journal.HasPending).Reverse())
        {
            await UndoAsync(kept).ConfigureAwait(false);
        }
    }

    private async Task UndoAsync(KeptJournal kept)
    {
        kept.UndoingSince = time.GetTimestamp();
        kept.ServerName ??= await FindNameAsync(kept.ServerId).ConfigureAwait(false);
        IReadOnlyList<UndoFailure> failures = await kept.Journal.UndoAllAsync().ConfigureAwait(false);
        kept.UndoingSince = null;
        kept.Problems = [.. failures.Select(f => Describe(kept, f))];
        if (failures.Count == 0)
        {
            LogUndone(kept.JobId, kept.ServerId);
        }
    }

    private async Task<string?> FindNameAsync(Guid serverId)
    {
        try
        {
            return (await hypervisor.PeekAsync(serverId, CancellationToken.None).ConfigureAwait(false))?.Name;
        }
        catch (SnapshotException)
        {
            // libvirt is away: the UUID does.
            return null;
        }
    }

    private IEnumerable<string> ProblemsOf(KeptJournal kept) =>
        kept.Problems.Count == 0 && kept.UndoingSince is { } since && time.GetElapsedTime(since) > LongUndo
            ? [$"{kept}: what it left is being undone, for {time.GetElapsedTime(since).TotalSeconds:0} s so far"]
            : kept.Problems;

    // The message of an exception that is not ours may name files of the host.
    private static string Describe(KeptJournal kept, UndoFailure failure) =>
        $"{kept}: {failure.Action.GetType().Name} could not be done: {HostText.Clean(failure.Error.Message)}";

    private async Task FinishAsync(CancellationToken cancellationToken)
    {
        foreach (KeptJournal kept in _kept)
        {
            if (await TryFinishAsync(kept, cancellationToken).ConfigureAwait(false))
            {
                ImmutableInterlocked.Update(ref _kept, (list, item) => list.Remove(item), kept);
                await EnqueueTurnedAwayAsync(kept, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    /// <returns>False when something is left: to undo, or to deliver.</returns>
    private async Task<bool> TryFinishAsync(KeptJournal kept, CancellationToken cancellationToken)
    {
        try
        {
            if (kept.NeedsDelivery)
            {
                await DeliverAsync(kept.Journal, cancellationToken).ConfigureAwait(false);
                kept.NeedsDelivery = false;
            }
        }
        catch (SnapshotException e) when (e.Code == SnapshotErrorCode.DatabaseUnavailable)
        {
            LogAway(e, kept.JobId);
            return false;
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            // A defect, or a row that somebody changed by hand: the journal must outlive it, and not stop the others.
            LogUndeliverable(e, kept.JobId);
            return false;
        }

        if (kept.Journal.HasPending)
        {
            kept.TurnsAway = true;
            return false;
        }

        kept.Journal.Delete();
        return true;
    }

    private Task DeliverAsync(JobJournal journal, CancellationToken cancellationToken) =>
        journal.Outcome is { } outcome
            ? delivery.DeliverAsync(outcome.Deserialize<JobOutcome>(JournalLine.Json)!, cancellationToken)
            : delivery.DeliverAbandonedAsync(
                journal.Header.JobId, journal.Header.Fence, options.Value.MaxAttempts, cancellationToken);

    /// <summary>A job that was turned away because of this journal need not wait for the sweeper.</summary>
    private async Task EnqueueTurnedAwayAsync(KeptJournal kept, CancellationToken cancellationToken)
    {
        if (!kept.TurnsAway)
        {
            return;
        }

        try
        {
            JobRecord? waiting = await jobs.FindActiveAsync(kept.ServerId, cancellationToken).ConfigureAwait(false);
            if (waiting is { Status: JobStatus.Queued })
            {
                await enqueuer.EnqueueAsync(waiting.Id, waiting.Node, cancellationToken).ConfigureAwait(false);
            }
        }
        catch (SnapshotException e) when (e.Code == SnapshotErrorCode.DatabaseUnavailable)
        {
            // Then the sweeper does.
            LogAway(e, kept.JobId);
        }
    }

    private sealed class KeptJournal(JobJournal journal)
    {
        public JobJournal Journal { get; } = journal;
        public Guid JobId => Journal.Header.JobId;
        public Guid ServerId => Journal.Header.ServerId;
        public string? ServerName { get; set; }

        /// <summary>Since when it is being undone; null: it is not.</summary>
        public long? UndoingSince { get; set; }

        public bool NeedsDelivery { get; set; }

        /// <summary>It was kept for something to undo, so that jobs on the server were turned away.</summary>
        public bool TurnsAway { get; set; }

        public IReadOnlyList<string> Problems { get; set; } = [];

        public override string ToString() =>
            $"server {(ServerName is null ? ServerId : $"{ServerName} ({ServerId})")}, job {JobId}";
    }

    [LoggerMessage(6040, LogLevel.Warning,
        "A journal of job {JobId} on server {ServerId} was left by a former process: "
        + "{Pending} entries to undo, outcome known: {HasOutcome}")]
    private partial void LogFound(Guid jobId, Guid serverId, int pending, bool hasOutcome);

    [LoggerMessage(6041, LogLevel.Information, "All that job {JobId} left on server {ServerId} is undone")]
    private partial void LogUndone(Guid jobId, Guid serverId);

    [LoggerMessage(6042, LogLevel.Warning, "The outcome of job {JobId} waits for the database")]
    private partial void LogAway(Exception exception, Guid jobId);

    [LoggerMessage(6043, LogLevel.Error, "Journal {Path} can't be read; what it holds is not undone")]
    private partial void LogUnreadable(Exception exception, string path);

    [LoggerMessage(6044, LogLevel.Error, "The outcome of job {JobId} could not be delivered")]
    private partial void LogUndeliverable(Exception exception, Guid jobId);

    [LoggerMessage(6045, LogLevel.Error,
        "{Path} is a copy of a journal with lines that can't be read: what they hold is not undone; "
        + "take it away when that is done")]
    private partial void LogLinesUnreadable(string path);
}
