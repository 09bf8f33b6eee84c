using Microsoft.Extensions.Options;
using SnapshotApi.Configuration;
using SnapshotApi.Errors;
using SnapshotApi.Hypervisor;
using SnapshotApi.Journal;

namespace SnapshotApi.Captures;

/// <summary>
/// Freezes the guest's file systems around the instant of a live capture and always thaws them: by the journal when the instant
/// has passed, by a watchdog when the instant takes too long, by the journal again after a crash.
/// </summary>
internal sealed class Quiesce(IHypervisor hypervisor, IOptions<NodeOptions> options, TimeProvider time) : IUndo<ThawServer>
{
    // A frozen guest blocks every write. Starting a backup or ending mirrors takes tens of milliseconds; whatever takes longer than
    // this is not worth a guest that stands still.
    private static readonly TimeSpan LongestFreeze = TimeSpan.FromSeconds(20);

    // qemu-ga's words for a freeze when one is held.
    private const string FrozenWords = "the agent is in frozen state";

    // An agent that is restarted answers within a second or two.
    private static readonly TimeSpan FirstThawDelay = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestThawDelay = TimeSpan.FromSeconds(5);

    /// <summary>Runs <paramref name="instant"/> inside a freeze if the request asks for one and the guest can.</summary>
    /// <param name="request">The capture.</param>
    /// <param name="journal">Gets the thaw, before the freeze.</param>
    /// <param name="observer">Told of what was not reached.</param>
    /// <param name="instant">What is to happen while the file systems stand still.</param>
    /// <param name="canBeFrozen">False: the instant must not come while the guest may be frozen without our being able to thaw it.</param>
    /// <param name="cancellationToken">Cancels the instant.</param>
    /// <returns>The consistency reached, and how long the file systems were frozen.</returns>
    /// <exception cref="SnapshotException">quiesce_failed: it was required and failed; the instant was not run.</exception>
    public async Task<QuiesceResult> RunAsync(
        CaptureRequest request,
        JobJournal journal,
        ICaptureObserver observer,
        Func<CancellationToken, Task> instant,
        bool canBeFrozen,
        CancellationToken cancellationToken)
    {
        string? obstacle = await FindObstacleAsync(request, cancellationToken).ConfigureAwait(false);
        if (obstacle is null)
        {
            JournalEntry thaw = journal.Add(new ThawServer(request.ServerId));
            long frozenSince = time.GetTimestamp();
            Freeze freeze = await TryFreezeAsync(request, cancellationToken).ConfigureAwait(false);
            if (freeze.FileSystems > 0)
            {
                bool wasHeld = await RunFrozenAsync(journal, thaw, observer, instant, cancellationToken).ConfigureAwait(false);
                return wasHeld
                    ? new QuiesceResult(Consistency.Application, time.GetElapsedTime(frozenSince), thaw.IsSettled, freeze.FileSystems)
                    : EndedByOther(request, observer, time.GetElapsedTime(frozenSince));
            }

            obstacle = freeze.Obstacle;
            await EndFailedFreezeAsync(journal, thaw, freeze, observer).ConfigureAwait(false);
            if (!thaw.IsSettled && !canBeFrozen)
            {
                throw new SnapshotException(
                    SnapshotErrorCode.QuiesceFailed, $"{obstacle}, and whether the guest is frozen can't be told; the node goes on trying to thaw it");
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

    /// <summary>
    /// Thaws. Nothing to thaw is another answer than an agent that can't be asked now: only a guest without memory has nothing to thaw.
    /// </summary>
    public Task UndoAsync(ThawServer action, CancellationToken cancellationToken) => CountThawedAsync(action, cancellationToken);

    /// <returns>How many file systems were thawed; null: the guest has no memory any more.</returns>
    private async Task<int?> CountThawedAsync(ThawServer action, CancellationToken cancellationToken)
    {
        ServerDescription? server = await hypervisor.FindServerQuietlyAsync(action.ServerId, cancellationToken).ConfigureAwait(false);
        return server?.PowerState switch
        {
            null or ServerPowerState.ShutOff => null,
            ServerPowerState.Running => await hypervisor.ThawAsync(action.ServerId, options.Value.FreezeTimeout, cancellationToken).ConfigureAwait(false),
            _ => throw new SnapshotException(
                SnapshotErrorCode.StateConflict, $"server {server.Name} does not run: its agent can't be asked to thaw before it does"),
        };
    }

    /// <summary>Whether the guest can be frozen is asked now: the plan may be hours old.</summary>
    private async Task<string?> FindObstacleAsync(CaptureRequest request, CancellationToken cancellationToken)
    {
        if (request.Quiesce == QuiesceMode.Never)
        {
            return "it was not asked for";
        }

        ServerDescription? now = await hypervisor.FindServerQuietlyAsync(request.ServerId, cancellationToken).ConfigureAwait(false);
        switch (now)
        {
            case null:
                return "the server is gone";
            case { HasAgentChannel: false }:
                return "the server has no guest-agent channel";
            case { AgentConnected: false }:
                return "the guest agent is not connected";
            case { PowerState: not ServerPowerState.Running }:
                return "the guest does not run";
        }

        try
        {
            return await hypervisor.IsFrozenAsync(request.ServerId, options.Value.FreezeTimeout, cancellationToken).ConfigureAwait(false) == true
                ? "somebody else holds a freeze of the guest, which is left alone"
                : null;
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
            int count = await hypervisor.FreezeAsync(request.ServerId, options.Value.FreezeTimeout, cancellationToken).ConfigureAwait(false);
            return new Freeze(count, "the guest agent froze no file system", IsForeign: false);
        }
        catch (SnapshotException e) when (e.Code is SnapshotErrorCode.QuiesceFailed)
        {
            bool isForeign = e.Message.Contains(FrozenWords, StringComparison.Ordinal);
            return new Freeze(0, isForeign ? "somebody else holds a freeze of the guest, which is left alone" : e.Message, isForeign);
        }
    }

    /// <summary>Frozen or not, nobody knows: the guest is thawed before anything else. A freeze of somebody else's is not.</summary>
    private async Task EndFailedFreezeAsync(JobJournal journal, JournalEntry thaw, Freeze freeze, ICaptureObserver observer)
    {
        if (freeze.IsForeign)
        {
            journal.Settle(thaw);
            return;
        }

        await ThawAsync(journal, thaw, observer).ConfigureAwait(false);
    }

    // The thaw comes after the instant, or at the watchdog; but what the instant has begun is waited for before anybody undoes it.
    /// <returns>The freeze was still ours when it ended.</returns>
    private async Task<bool> RunFrozenAsync(
        JobJournal journal, JournalEntry thaw, ICaptureObserver observer, Func<CancellationToken, Task> instant, CancellationToken cancellationToken)
    {
        using var watchdog = new CancellationTokenSource(LongestFreeze, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, watchdog.Token);

        // On another thread: what hangs before it first waits, as on a disk that does not sync, must not keep the guest frozen.
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
            // The instant may have had the CPUs stopped: then the agent could not be asked before.
            await ThawAsync(journal, thaw, observer).ConfigureAwait(false);
        }

        cancellationToken.ThrowIfCancellationRequested();
        throw new SnapshotException(
            SnapshotErrorCode.TimedOut, $"the guest was frozen for {LongestFreeze.TotalSeconds:0} s and the instant had not come", running.Exception);
    }

    /// <summary>Another tool has thawed within our freeze: before the instant or after it, nobody knows.</summary>
    /// <exception cref="SnapshotException">quiesce_failed: a freeze was required.</exception>
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

    /// <summary>Thaws. An agent that does not answer is asked again and again, beside whatever the job does next.</summary>
    /// <returns>False: nothing was frozen any more.</returns>
    private async Task<bool> ThawAsync(JobJournal journal, JournalEntry thaw, ICaptureObserver observer)
    {
        bool wasFrozen = true;
        try
        {
            await journal.UndoAsync(
                thaw,
                async token => wasFrozen = await CountThawedAsync((ThawServer)thaw.Action, token).ConfigureAwait(false) != 0,
                CancellationToken.None).ConfigureAwait(false);
        }
        catch (SnapshotException e)
        {
            observer.Warn($"the guest may still be frozen: {e.Message}; the node goes on trying to thaw it");
            _ = GoOnThawingAsync(journal, thaw);
        }

        return wasFrozen;
    }

    /// <summary>
    /// Ends when the guest is thawed, by whomever, or when the run has ended: then the journal, which still has the entry, is what tries.
    /// </summary>
    private async Task GoOnThawingAsync(JobJournal journal, JournalEntry thaw)
    {
        for (TimeSpan delay = FirstThawDelay; !thaw.IsSettled; delay = TimeSpan.FromTicks(Math.Min(2 * delay.Ticks, LongestThawDelay.Ticks)))
        {
            await Task.Delay(delay, time).ConfigureAwait(false);
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

    /// <summary>What the agent did.</summary>
    private readonly record struct Freeze(int FileSystems, string Obstacle, bool IsForeign);
}

/// <summary>What a freeze reached.</summary>
/// <param name="Consistency">application or crash.</param>
/// <param name="Length">From the call to freeze to the end of the thaw.</param>
/// <param name="IsThawed">The guest's file systems are not frozen any more; false: the agent froze them and could not be asked to thaw yet.</param>
/// <param name="FileSystems">How many file systems the agent froze, for us.</param>
internal readonly record struct QuiesceResult(Consistency Consistency, TimeSpan Length, bool IsThawed, int FileSystems);
