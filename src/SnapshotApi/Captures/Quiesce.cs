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
internal sealed class Quiesce(IHypervisor hypervisor, IOptions<NodeOptions> options, TimeProvider time)
{
    // A frozen guest blocks every write. Starting a backup or ending mirrors takes tens of milliseconds; whatever takes longer than
    // this is not worth a guest that stands still.
    private static readonly TimeSpan LongestFreeze = TimeSpan.FromSeconds(20);

    // An agent that is restarted answers within a second or two.
    private static readonly TimeSpan FirstThawDelay = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestThawDelay = TimeSpan.FromSeconds(5);

    /// <summary>Runs <paramref name="instant"/> inside a freeze if the request asks for one and the guest can.</summary>
    /// <returns>The consistency reached, and how long the file systems were frozen.</returns>
    /// <exception cref="SnapshotException">quiesce_failed: it was required and failed; the instant was not run.</exception>
    public async Task<QuiesceResult> RunAsync(
        CaptureRequest request, JobJournal journal, ICaptureObserver observer, Func<CancellationToken, Task> instant, CancellationToken cancellationToken)
    {
        string? obstacle = Obstacle(request);
        if (obstacle is null)
        {
            JournalEntry thaw = journal.Add(new ThawServer(request.ServerId));
            long frozenSince = time.GetTimestamp();
            obstacle = await TryFreezeAsync(request, cancellationToken).ConfigureAwait(false);
            if (obstacle is null)
            {
                await RunFrozenAsync(journal, thaw, observer, instant, cancellationToken).ConfigureAwait(false);
                return new QuiesceResult(Consistency.Application, time.GetElapsedTime(frozenSince), thaw.IsSettled);
            }

            // Frozen or not, nobody knows: thaw before anything else.
            await ThawAsync(journal, thaw, observer).ConfigureAwait(false);
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
        return new QuiesceResult(Consistency.Crash, TimeSpan.Zero, IsThawed: true);
    }

    private static string? Obstacle(CaptureRequest request)
    {
        if (request.Quiesce == QuiesceMode.Never)
        {
            return "it was not asked for";
        }

        if (!request.Server.HasAgentChannel)
        {
            return "the server has no guest-agent channel";
        }

        if (!request.Server.AgentConnected)
        {
            return "the guest agent is not connected";
        }

        return request.Server.PowerState == ServerPowerState.Running ? null : "the guest does not run";
    }

    /// <returns>Why the guest is not frozen; null: it is.</returns>
    private async Task<string?> TryFreezeAsync(CaptureRequest request, CancellationToken cancellationToken)
    {
        try
        {
            await hypervisor.FreezeAsync(request.ServerId, options.Value.FreezeTimeout, cancellationToken).ConfigureAwait(false);
            return null;
        }
        catch (SnapshotException e) when (e.Code is SnapshotErrorCode.QuiesceFailed)
        {
            return e.Message;
        }
    }

    private async Task RunFrozenAsync(
        JobJournal journal, JournalEntry thaw, ICaptureObserver observer, Func<CancellationToken, Task> instant, CancellationToken cancellationToken)
    {
        using var watchdog = new CancellationTokenSource(LongestFreeze, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, watchdog.Token);
        try
        {
            // On another thread: what hangs before it first waits, as on a disk that does not sync, must not keep the guest frozen.
            await Task.Run(() => instant(either.Token), CancellationToken.None).WaitAsync(either.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException e) when (watchdog.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new SnapshotException(
                SnapshotErrorCode.TimedOut, $"the guest was frozen for {LongestFreeze.TotalSeconds:0} s and the instant had not come", e);
        }
        finally
        {
            await ThawAsync(journal, thaw, observer).ConfigureAwait(false);
        }
    }

    /// <summary>Thaws. An agent that does not answer is asked again and again, beside whatever the job does next.</summary>
    private async Task ThawAsync(JobJournal journal, JournalEntry thaw, ICaptureObserver observer)
    {
        try
        {
            await journal.UndoAsync(thaw, CancellationToken.None).ConfigureAwait(false);
        }
        catch (SnapshotException e)
        {
            observer.Warn($"the guest may still be frozen: {e.Message}; the node goes on trying to thaw it");
            _ = GoOnThawingAsync(journal, thaw);
        }
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
}

/// <summary>What a freeze reached.</summary>
/// <param name="Consistency">application or crash.</param>
/// <param name="Freeze">From the call to freeze to the end of the thaw.</param>
/// <param name="IsThawed">The guest's file systems are not frozen any more; false: the agent froze them and could not be asked to thaw yet.</param>
internal readonly record struct QuiesceResult(Consistency Consistency, TimeSpan Freeze, bool IsThawed);
