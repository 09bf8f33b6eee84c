using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Text.Json;
using Microsoft.Extensions.Options;
using SnapshotApi.Configuration;
using SnapshotApi.Errors;
using SnapshotApi.Hypervisor;
using SnapshotApi.Journal;
using SnapshotApi.Persistence;

namespace SnapshotApi.Jobs;

/// <summary>
/// Keeps journals until nothing is left of them: first what they hold is undone, for which libvirt is all it needs, then the
/// outcome is delivered, then the file is deleted. At start it takes over those that a former process left. Servers are undone beside each other: one
/// whose QEMU hangs keeps no other from being thawed, and not the service from starting.
/// </summary>
internal sealed partial class JournalRecovery : IDisposable
{
    private static readonly TimeSpan FirstRetryDelay = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestRetryDelay = TimeSpan.FromSeconds(30);

    // A guest may be frozen, paused or without its definition: what is left to undo is tried more often than a database that is away.
    private static readonly TimeSpan LongestUndoDelay = TimeSpan.FromSeconds(5);

    // What can be undone at all takes a second or two; a guest that hangs must not keep the others waiting.
    private static readonly TimeSpan RecoverLimit = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan RoundLimit = TimeSpan.FromSeconds(5);

    // Longer than an undo that meets no obstacle.
    private static readonly TimeSpan LongUndo = TimeSpan.FromSeconds(2);

    // A libvirtd that is up answers in milliseconds; one that is started by its socket takes a second or two.
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan ConnectPollInterval = TimeSpan.FromMilliseconds(50);

    private readonly NodeDirectories _directories;
    private readonly IUndoExecutor _executor;
    private readonly IHypervisor _hypervisor;
    private readonly OutcomeDelivery _delivery;
    private readonly JobTable _jobs;
    private readonly JobEnqueuer _enqueuer;
    private readonly IFaultPoint _faults;
    private readonly IOptions<JobsOptions> _options;
    private readonly TimeProvider _time;
    private readonly ILogger<JournalRecovery> _logger;
    private readonly WakeSignal _wake;
    private readonly IDisposable _subscription;
    private readonly ConcurrentDictionary<Guid, Task> _undoing = new();
    private ImmutableList<KeptJournal> _kept = [];
    private ImmutableList<string> _unreadable = [];

    public JournalRecovery(
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
        ILogger<JournalRecovery> logger)
    {
        (_directories, _executor, _hypervisor, _delivery, _jobs) = (directories, executor, hypervisor, delivery, jobs);
        (_enqueuer, _faults, _options, _time, _logger) = (enqueuer, faults, options, time, logger);
        _wake = new WakeSignal(time);

        // The database, or libvirt, may be back: no need to wait for the next try.
        _subscription = listener.Subscribe(Channels.Job, payload => WakeWhen(payload is null));
        _hypervisor.InventoryChanged += OnInventoryChanged;
    }

    /// <summary>What could not be undone yet, in words for an operator.</summary>
    public IReadOnlyList<string> Problems => [.. _unreadable, .. _kept.SelectMany(ProblemsOf)];

    /// <summary>A journal of the job is kept: the job is not to be run.</summary>
    public bool HoldsJob(Guid jobId) => _kept.Exists(k => k.Journal.Header.JobId == jobId);

    /// <summary>Something is left to undo on the server: nothing is to be begun on it.</summary>
    public bool HoldsServer(Guid serverId) =>
        _kept.Exists(k => k.Journal.Header.ServerId == serverId && k.Journal.Pending.Any(e => e.Action is GuestUndo));

    /// <summary>
    /// Takes over every journal of a former process and begins to undo what it holds. Needs no database. To be awaited before any job is taken;
    /// what takes longer goes on beside the service, and holds its server only.
    /// </summary>
    public async Task RecoverAsync(CancellationToken cancellationToken)
    {
        if (!Directory.Exists(_directories.Journals))
        {
            return;
        }

        foreach (string path in Directory.EnumerateFiles(_directories.Journals, "*.jsonl").Order(StringComparer.Ordinal))
        {
            cancellationToken.ThrowIfCancellationRequested();
            try
            {
                if (JobJournal.Open(path, _executor, _time, _logger, _faults) is { } journal)
                {
                    LogFound(journal.Header.JobId, journal.Header.ServerId, journal.Pending.Count, journal.Outcome is not null);
                    Keep(new KeptJournal(journal) { NeedsDelivery = true });
                }
            }
            catch (Exception e) when (e is IOException or InvalidDataException or UnauthorizedAccessException)
            {
                // One that can't be read must not keep the others from being undone.
                LogUnreadable(e, path);
                _unreadable = _unreadable.Add($"journal {Path.GetFileName(path)} can't be read: what it holds is not undone");
            }
        }

        // Also those of former starts, until somebody has looked at them and taken them away.
        foreach (string path in Directory.EnumerateFiles(_directories.Journals, "*" + JobJournal.UnreadableSuffix).Order(StringComparer.Ordinal))
        {
            LogLinesUnreadable(path);
            _unreadable = _unreadable.Add($"journal {Path.GetFileName(path)} has lines that can't be read: what they hold is not undone");
        }

        if (_kept.Exists(k => k.Journal.HasPending))
        {
            await WaitForHypervisorAsync(cancellationToken).ConfigureAwait(false);
        }

        await Task.WhenAll(_kept.Select(k => k.Journal.Header.ServerId).Distinct().Select(UndoServerAsync))
            .WaitAsync(RecoverLimit, _time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        cancellationToken.ThrowIfCancellationRequested();
    }

    /// <summary>
    /// Takes over the journal of a run that has ended: delivers its outcome and deletes it, now if that can be done, else later.
    /// </summary>
    /// <param name="journal">The journal, which holds the outcome.</param>
    /// <param name="needsDelivery">False for a run that lost its job: there is nothing to tell.</param>
    /// <param name="cancellationToken">Ends the first try; later ones follow.</param>
    public async Task SettleAsync(JobJournal journal, bool needsDelivery, CancellationToken cancellationToken)
    {
        var kept = new KeptJournal(journal) { NeedsDelivery = needsDelivery };
        if (!await TryFinishAsync(kept, cancellationToken).ConfigureAwait(false))
        {
            Keep(kept);
            _wake.Set();
        }
    }

    /// <summary>Tries again, with back-off, until cancelled. Only after <see cref="RecoverAsync"/>.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        TimeSpan delay = FirstRetryDelay;
        while (true)
        {
            // Outcomes wait for no guest: they are delivered one after the other.
            List<Task> rounds = [.. _kept.Select(k => k.Journal.Header.ServerId).Distinct().Select(UndoServerAsync)];
            await Task.WhenAll(rounds).WaitAsync(RoundLimit, _time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            cancellationToken.ThrowIfCancellationRequested();
            foreach (KeptJournal kept in _kept)
            {
                if (await TryFinishAsync(kept, cancellationToken).ConfigureAwait(false))
                {
                    ImmutableInterlocked.Update(ref _kept, (list, item) => list.Remove(item), kept);
                    await EnqueueTurnedAwayAsync(kept, cancellationToken).ConfigureAwait(false);
                }
            }

            bool isDone = _kept.IsEmpty;
            bool woken = await _wake.WaitAsync(isDone ? LongestRetryDelay : delay, cancellationToken).ConfigureAwait(false);
            TimeSpan longest = _kept.Exists(k => k.Journal.HasPending) ? LongestUndoDelay : LongestRetryDelay;
            delay = woken || isDone ? FirstRetryDelay : TimeSpan.FromTicks(Math.Min(delay.Ticks * 2, longest.Ticks));
        }
    }

    public void Dispose()
    {
        _hypervisor.InventoryChanged -= OnInventoryChanged;
        _subscription.Dispose();
        foreach (KeptJournal kept in _kept)
        {
            kept.Journal.Dispose();
        }
    }

    /// <summary>libvirt is being connected to while the service starts: a try before that would fail for nothing.</summary>
    private async Task WaitForHypervisorAsync(CancellationToken cancellationToken)
    {
        long start = _time.GetTimestamp();
        while (!_hypervisor.IsConnected && _time.GetElapsedTime(start) < ConnectTimeout)
        {
            await Task.Delay(ConnectPollInterval, _time, cancellationToken).ConfigureAwait(false);
        }
    }

    // Null: the connection was lost or came back. Changes of servers are not a reason: undoing makes them.
    private void OnInventoryChanged(Guid? serverId) => WakeWhen(serverId is null);

    private void WakeWhen(bool condition)
    {
        if (condition && !_kept.IsEmpty)
        {
            _wake.Set();
        }
    }

    private void Keep(KeptJournal kept) => ImmutableInterlocked.Update(ref _kept, (list, item) => list.Add(item), kept);

    /// <summary>Undoes the journals of a server, newest first; one try at a time.</summary>
    private Task UndoServerAsync(Guid serverId) => _undoing.AddOrUpdate(
        serverId,
        id => UndoKeptAsync(id),
        (id, last) => last.IsCompleted ? UndoKeptAsync(id) : last);

    private async Task UndoKeptAsync(Guid serverId)
    {
        foreach (KeptJournal kept in _kept.Where(k => k.Journal.Header.ServerId == serverId && k.Journal.HasPending).Reverse())
        {
            await UndoAsync(kept).ConfigureAwait(false);
        }
    }

    private async Task UndoAsync(KeptJournal kept)
    {
        kept.UndoingSince = _time.GetTimestamp();
        kept.ServerName ??= await FindNameAsync(kept.Journal.Header.ServerId).ConfigureAwait(false);
        IReadOnlyList<UndoFailure> failures = await kept.Journal.UndoAllAsync().ConfigureAwait(false);
        kept.UndoingSince = null;
        kept.Problems = [.. failures.Select(f => Describe(kept, f))];
        if (failures.Count == 0)
        {
            LogUndone(kept.Journal.Header.JobId, kept.Journal.Header.ServerId);
        }
    }

    private async Task<string?> FindNameAsync(Guid serverId)
    {
        try
        {
            return (await _hypervisor.PeekAsync(serverId, CancellationToken.None).ConfigureAwait(false))?.Name;
        }
        catch (SnapshotException)
        {
            // libvirt is away: the number does.
            return null;
        }
    }

    private IEnumerable<string> ProblemsOf(KeptJournal kept) =>
        kept.Problems.Count == 0 && kept.UndoingSince is { } since && _time.GetElapsedTime(since) > LongUndo
            ? [$"{NameOf(kept)}: what it left is being undone, for {_time.GetElapsedTime(since).TotalSeconds:0} s so far"]
            : kept.Problems;

    private static string NameOf(KeptJournal kept) =>
        $"server {(kept.ServerName is { } name ? $"{name} ({kept.Journal.Header.ServerId})" : kept.Journal.Header.ServerId)}, job {kept.Journal.Header.JobId}";

    // Of a failure that is none of ours the text may name files of the host.
    private static string Describe(KeptJournal kept, UndoFailure failure) =>
        $"{NameOf(kept)}: {failure.Action.GetType().Name} could not be done: {HostText.Clean(failure.Error.Message)}";

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
            LogAway(e, kept.Journal.Header.JobId);
            return false;
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            // A defect, or a row that somebody changed by hand: the journal must outlive it, and the others must not wait for it.
            LogUndeliverable(e, kept.Journal.Header.JobId);
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
            ? _delivery.DeliverAsync(outcome.Deserialize<JobOutcome>(JournalLine.Json)!, cancellationToken)
            : _delivery.DeliverDeathAsync(journal.Header.JobId, journal.Header.Fence, _options.Value.MaxAttempts, cancellationToken);

    /// <summary>A job that was turned away because of this journal need not wait for the sweeper.</summary>
    private async Task EnqueueTurnedAwayAsync(KeptJournal kept, CancellationToken cancellationToken)
    {
        if (!kept.TurnsAway)
        {
            return;
        }

        try
        {
            JobRecord? waiting = await _jobs.FindActiveAsync(kept.Journal.Header.ServerId, cancellationToken).ConfigureAwait(false);
            if (waiting is { Status: JobStatus.Queued })
            {
                await _enqueuer.EnqueueAsync(waiting.Id, waiting.Node, cancellationToken).ConfigureAwait(false);
            }
        }
        catch (SnapshotException e) when (e.Code == SnapshotErrorCode.DatabaseUnavailable)
        {
            // Then the sweeper does.
            LogAway(e, kept.Journal.Header.JobId);
        }
    }

    private sealed class KeptJournal(JobJournal journal)
    {
        public JobJournal Journal { get; } = journal;

        public string? ServerName { get; set; }

        /// <summary>Since when it is being undone now; null: it is not.</summary>
        public long? UndoingSince { get; set; }

        public bool NeedsDelivery { get; set; }

        public bool TurnsAway { get; set; }

        public IReadOnlyList<string> Problems { get; set; } = [];
    }

    [LoggerMessage(EventId = 6040, Level = LogLevel.Warning,
        Message = "A journal of job {JobId} on server {ServerId} was left by a former process: {Pending} entries to undo, outcome known: {HasOutcome}")]
    private partial void LogFound(Guid jobId, Guid serverId, int pending, bool hasOutcome);

    [LoggerMessage(EventId = 6041, Level = LogLevel.Information, Message = "All that job {JobId} left on server {ServerId} is undone")]
    private partial void LogUndone(Guid jobId, Guid serverId);

    [LoggerMessage(EventId = 6042, Level = LogLevel.Warning, Message = "The outcome of job {JobId} waits for the database")]
    private partial void LogAway(Exception exception, Guid jobId);

    [LoggerMessage(EventId = 6043, Level = LogLevel.Error, Message = "Journal {Path} can't be read; what it holds is not undone")]
    private partial void LogUnreadable(Exception exception, string path);

    [LoggerMessage(EventId = 6044, Level = LogLevel.Error, Message = "The outcome of job {JobId} could not be delivered")]
    private partial void LogUndeliverable(Exception exception, Guid jobId);

    [LoggerMessage(EventId = 6045, Level = LogLevel.Error,
        Message = "{Path} is a copy of a journal with lines that can't be read: what they hold is not undone; take it away when that is done")]
    private partial void LogLinesUnreadable(string path);
}
