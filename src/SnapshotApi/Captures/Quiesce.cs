using SnapshotApi.Hypervisor;
using SnapshotApi.Journal;

namespace SnapshotApi.Captures;

/// <summary>
/// Freezes the guest's file systems around the instant of a live capture and always thaws them: by the journal after
/// the instant, by a watchdog when that takes too long, by the journal again after a crash.
/// </summary>
internal sealed class Quiesce(
    IHypervisor hypervisor, IOptions<NodeOptions> options, TimeProvider time) : IUndo<ThawServer>
{
    // A frozen guest blocks every write. Starting a backup or ending mirrors takes milliseconds.
    private static readonly TimeSpan LongestFreeze = TimeSpan.FromSeconds(20);

    // qemu-ga's answer to a freeze while one is held.
    private const string FrozenWords = "the agent is in frozen state";

    private const string ForeignFreeze = "somebody else holds a freeze of the guest, which is left alone";

    // An agent that is restarted answers within a second or two.
    private static readonly TimeSpan FirstThawDelay = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestThawDelay = TimeSpan.FromSeconds(5);

    /// <summary>Runs <paramref name="instant"/>, frozen if the request asks for it and the guest can.</summary>
    /// <param name="journal">Gets the thaw, before the freeze.</param>
    /// <param name="instant">To be done while the file systems stand still.</param>
    /// <param name="canBeFrozen">False: no instant while the guest may be frozen and can't be thawed.</param>
    /// <exception cref="SnapshotException">quiesce_failed: required, and failed before the instant.</exception>
    public async Task<QuiesceResult> RunAsync(
        CaptureRequest request, JobJournal journal, ICaptureObserver observer, Func<CancellationToken, Task> instant,
        bool canBeFrozen, CancellationToken cancellationToken)
    {
        string? obstacle = await FindObstacleAsync(request, cancellationToken).ConfigureAwait(false);
        if (obstacle is null)
        {
            JournalEntry thaw = journal.Add(new ThawServer(request.ServerId));
            long frozenSince = time.GetTimestamp();
            Freeze freeze = await TryFreezeAsync(request, cancellationToken).ConfigureAwait(false);
            if (freeze.FileSystems > 0)
            {
                bool wasHeld = await RunFrozenAsync(journal, thaw, observer, instant, cancellationToken)
                    .ConfigureAwait(false);
                TimeSpan length = time.GetElapsedTime(frozenSince);
                return wasHeld
                    ? new QuiesceResult(Consistency.Application, length, thaw.IsSettled, freeze.FileSystems)
                    : EndedByOther(request, observer, length);
            }

            obstacle = freeze.Obstacle;
            await EndFailedFreezeAsync(journal, thaw, freeze, observer).ConfigureAwait(false);
            if (!thaw.IsSettled && !canBeFrozen)
            {
                throw new SnapshotException(
                    SnapshotErrorCode.QuiesceFailed,
                    $"{obstacle}, and whether the guest is frozen can't be told; the node goes on trying to thaw it");
            }
        }

        if (request.Quiesce == QuiesceMode.Required)
        {
            throw new SnapshotException(SnapshotErrorCode.QuiesceFailed, $"quiesce is required, but {obstacle}");
        }

        if (request.Quiesce == QuiesceMode.Auto)
        {
            observer.Warn($"not quiesced: {obstacle}; the image is crash-consistent");
        }

        await instant(cancellationToken).ConfigureAwait(false);
        return new QuiesceResult(Consistency.Crash, TimeSpan.Zero, IsThawed: true, FileSystems: 0);
    }

    /// <summary>Fails while the agent can't be asked: only a guest without memory has nothing to thaw.</summary>
    public Task UndoAsync(ThawServer action, CancellationToken cancellationToken) =>
        CountThawedAsync(action, cancellationToken);

    // How many file systems were thawed; null: the guest has no memory any more.
    private async Task<int?> CountThawedAsync(ThawServer action, CancellationToken cancellationToken)
    {
        ServerDescription? now = await hypervisor.PeekAsync(action.ServerId, cancellationToken).ConfigureAwait(false);
        return now?.PowerState switch
        {
            null or ServerPowerState.ShutOff => null,
            ServerPowerState.Running => await hypervisor.ThawAsync(
                action.ServerId, options.Value.FreezeTimeout, cancellationToken).ConfigureAwait(false),
            _ => throw new SnapshotException(
                SnapshotErrorCode.StateConflict,
                $"server {now.Name} does not run: its agent can't be asked to thaw before it does"),
        };
    }

    // Why the guest can't be frozen now; the plan may be hours old.
    private async Task<string?> FindObstacleAsync(CaptureRequest request, CancellationToken cancellationToken)
    {
        if (request.Quiesce == QuiesceMode.Never)
        {
            return "it was not asked for";
        }

        ServerDescription? now = await hypervisor.PeekAsync(request.ServerId, cancellationToken).ConfigureAwait(false);
        string? obstacle = now switch
        {
            null => "the server is gone",
            { HasAgentChannel: false } => "the server has no guest-agent channel",
            { AgentConnected: false } => "the guest agent is not connected",
            { PowerState: not ServerPowerState.Running } => "the guest does not run",
            _ => null,
        };
        if (obstacle is not null)
        {
            return obstacle;
        }

        try
        {
            bool? isFrozen = await hypervisor.IsFrozenAsync(
                request.ServerId, options.Value.FreezeTimeout, cancellationToken).ConfigureAwait(false);
            return isFrozen == true ? ForeignFreeze : null;
        }
        catch (SnapshotException e) when (e.Code is SnapshotErrorCode.QuiesceFailed)
        {
            return e.Message;
        }
    }

    private async Task<Freeze> TryFreezeAsync(CaptureRequest request, CancellationToken cancellationToken)
    {
        try
        {
            int count = await hypervisor.FreezeAsync(request.ServerId, options.Value.FreezeTimeout, cancellationToken)
                .ConfigureAwait(false);
            return new Freeze(count, "the guest agent froze no file system", IsForeign: false);
        }
        catch (SnapshotException e) when (e.Code is SnapshotErrorCode.QuiesceFailed)
        {
            bool isForeign = e.Message.Contains(FrozenWords, StringComparison.Ordinal);
            return new Freeze(0, isForeign ? ForeignFreeze : e.Message, isForeign);
        }
    }

    // Whether the guest is frozen is unknown: it is thawed first. Another's freeze is left alone.
    private async Task EndFailedFreezeAsync(
        JobJournal journal, JournalEntry thaw, Freeze freeze, ICaptureObserver observer)
    {
        if (freeze.IsForeign)
        {
            journal.Settle(thaw);
            return;
        }

        await ThawAsync(journal, thaw, observer).ConfigureAwait(false);
    }

    // The thaw comes after the instant, or at the watchdog; what the instant has begun is waited for before anybody
    // undoes it. True: the freeze was still ours when it ended.
    private async Task<bool> RunFrozenAsync(
        JobJournal journal, JournalEntry thaw, ICaptureObserver observer, Func<CancellationToken, Task> instant,
        CancellationToken cancellationToken)
    {
        using var watchdog = new CancellationTokenSource(LongestFreeze, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, watchdog.Token);

        // On another thread: what blocks before its first await must not keep the guest frozen.
        Task running = Task.Run(() => instant(either.Token), CancellationToken.None);
        await running.WaitAsync(watchdog.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        bool isLate = !running.IsCompleted;
        bool wasHeld = await ThawAsync(journal, thaw, observer).ConfigureAwait(false);
        if (!isLate)
        {
            await running.ConfigureAwait(false);
            return wasHeld;
        }

        await running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!thaw.IsSettled)
        {
            // The instant may have stopped the CPUs: then the agent could not be asked before.
            await ThawAsync(journal, thaw, observer).ConfigureAwait(false);
        }

        cancellationToken.ThrowIfCancellationRequested();
        throw new SnapshotException(
            SnapshotErrorCode.TimedOut,
            $"the guest was frozen for {LongestFreeze.TotalSeconds:0} s and the instant had not come",
            running.Exception);
    }

    // Another tool has thawed within our freeze, before or after the instant. quiesce_failed if a freeze was required.
    private static QuiesceResult EndedByOther(CaptureRequest request, ICaptureObserver observer, TimeSpan length)
    {
        const string Said = "somebody else thawed the guest while it was frozen for the snapshot";
        if (request.Quiesce == QuiesceMode.Required)
        {
            throw new SnapshotException(SnapshotErrorCode.QuiesceFailed, $"quiesce is required, but {Said}");
        }

        observer.Warn($"not quiesced: {Said}; the image is crash-consistent");
        return new QuiesceResult(Consistency.Crash, length, IsThawed: true, FileSystems: 0);
    }

    // An agent that does not answer is asked again, beside the job. False: nothing was frozen any more.
    private async Task<bool> ThawAsync(JobJournal journal, JournalEntry thaw, ICaptureObserver observer)
    {
        bool wasFrozen = true;
        try
        {
            await journal.UndoAsync(
                thaw,
                async token =>
                    wasFrozen = await CountThawedAsync((ThawServer)thaw.Action, token).ConfigureAwait(false) != 0,
                CancellationToken.None).ConfigureAwait(false);
        }
        catch (SnapshotException e)
        {
            observer.Warn($"the guest may still be frozen: {e.Message}; the node goes on trying to thaw it");
            _ = GoOnThawingAsync(journal, thaw);
        }

        return wasFrozen;
    }

    // Ends when anybody has thawed the guest, or with the run: then the journal, which has the entry, goes on trying.
    private async Task GoOnThawingAsync(JobJournal journal, JournalEntry thaw)
    {
        TimeSpan delay = FirstThawDelay;
        while (!thaw.IsSettled)
        {
            await Task.Delay(delay, time).ConfigureAwait(false);
            delay = TimeSpan.FromTicks(Math.Min(2 * delay.Ticks, LongestThawDelay.Ticks));
            try
            {
                await journal.UndoAsync(thaw, CancellationToken.None).ConfigureAwait(false);
            }
            catch (SnapshotException)
            {
                // Not yet.
            }
            catch (ObjectDisposedException)
            {
                // The journal was closed.
                return;
            }
        }
    }

    private readonly record struct Freeze(int FileSystems, string Obstacle, bool IsForeign);
}

/// <summary>What a freeze reached.</summary>
/// <param name="Consistency">application or crash.</param>
/// <param name="Length">From the call to freeze to the end of the thaw.</param>
/// <param name="IsThawed">False: the agent froze the file systems and could not be asked to thaw yet.</param>
/// <param name="FileSystems">How many file systems the agent froze.</param>
internal readonly record struct QuiesceResult(Consistency Consistency, TimeSpan Length, bool IsThawed, int FileSystems);
