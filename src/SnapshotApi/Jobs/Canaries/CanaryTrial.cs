using SnapshotApi.Captures;
using SnapshotApi.Hypervisor;
using SnapshotApi.Journal;
using SnapshotApi.Snapshots;

namespace SnapshotApi.Jobs;

/// <summary>Proves the captures of a node.</summary>
internal interface ICanaryTrial
{
    /// <summary>Proves each capture on a canary of each shape; nothing of it stays on the host.</summary>
    /// <returns>One proof for each; what libvirt or the host refuses is one, too.</returns>
    Task<IReadOnlyList<CaptureProof>> RunAsync(CancellationToken cancellationToken);
}

/// <summary>
/// Takes canaries through what a snapshot does, with the captures and the journal of snapshots: what is proved is what
/// runs.
/// <list type="number">
/// <item>What an earlier check left is taken away.</item>
/// <item>A canary of each shape is started; one that a capture has killed is replaced.</item>
/// <item>Each capture begins, its views are read over NBD and compared, the readers leave, the journal ends it.</item>
/// <item>The canary must live, as the process that it was if the capture is live, as it was defined, without a
/// job.</item>
/// </list>
/// </summary>
internal sealed partial class CanaryTrial(
    IHypervisor hypervisor, IEnumerable<ICapture> captures, CanaryNest nest, CanaryJournals journals,
    JournalRecovery recovery, TimeProvider time, ILogger<CanaryTrial> logger) : ICanaryTrial
{
    // A proof takes a second or two, some more without KVM on a busy host.
    private static readonly TimeSpan ProofLimit = TimeSpan.FromMinutes(2);

    // Jobs wait for the end of a check. One that takes longer is made again later, and they begin meanwhile.
    private static readonly TimeSpan TrialLimit = TimeSpan.FromMinutes(15);

    // Until libvirt has noticed that a QEMU has ended.
    private static readonly TimeSpan DeathGrace = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan DeathPollInterval = TimeSpan.FromMilliseconds(50);

    // Backup comes last: it is the one that is known to have killed guests.
    private static readonly CaptureKind[] Order = [CaptureKind.Mirror, CaptureKind.Cold, CaptureKind.Backup];

    public async Task<IReadOnlyList<CaptureProof>> RunAsync(CancellationToken cancellationToken)
    {
        var proofs = new List<CaptureProof>();
        List<CaptureKind> kinds = [];
        using var limit = new CancellationTokenSource(TrialLimit, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limit.Token);
        try
        {
            NodeCapabilities node = await hypervisor.GetCapabilitiesAsync(either.Token).ConfigureAwait(false);
            kinds = [.. Order.Where(kind => IsOffered(kind, node))];

            // Step 1: what is left.
            await nest.SweepAsync(either.Token).ConfigureAwait(false);
            HypervisorHost host = await hypervisor.DescribeHostAsync(either.Token).ConfigureAwait(false);
            bool isRebase = !node.CanBlockCopyTransient;
            foreach (GuestShape shape in GuestShapes.All)
            {
                host = await ProveShapeAsync(host, shape, kinds, isRebase, proofs, either.Token)
                    .ConfigureAwait(false);
            }
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            // A check ends here, as a job does: whatever it was becomes its outcome. Without a canary nothing can be
            // said of what is left, and no shape would fare better.
            LogUnmade(e);
            (string reason, string cure) = ProofWords.OfSetUp(e, TrialLimit);
            proofs.AddRange(
                from shape in GuestShapes.All
                from kind in kinds.DefaultIfEmpty(CaptureKind.Backup)
                where !proofs.Exists(p => p.Shape == shape && p.Capture == kind)
                select new CaptureProof(kind, shape, ProofOutcome.Unknown, reason, cure));
        }

        return proofs;
    }

    private static bool IsOffered(CaptureKind kind, NodeCapabilities node) => kind switch
    {
        CaptureKind.Backup => node.CanBackup,
        CaptureKind.Mirror => node.CanBlockRebase,
        _ => true,
    };

    /// <summary>Proves all captures of one shape.</summary>
    /// <returns>What canaries can be made of.</returns>
    /// <exception cref="SnapshotException">No canary could be made.</exception>
    private async Task<HypervisorHost> ProveShapeAsync(
        HypervisorHost host, GuestShape shape, List<CaptureKind> kinds, bool isRebase, List<CaptureProof> proofs,
        CancellationToken cancellationToken)
    {
        CanaryGuest? canary = null;
        try
        {
            foreach (CaptureKind kind in kinds)
            {
                if (canary is null)
                {
                    (canary, host) = await StartAsync(host, shape, cancellationToken).ConfigureAwait(false);
                }

                long start = time.GetTimestamp();
                CaptureProof proof = await ProveAsync(canary, kind, isRebase, cancellationToken).ConfigureAwait(false);
                LogProof(
                    kind, shape, proof.Outcome, time.GetElapsedTime(start).TotalMilliseconds, proof.Reason ?? "");
                proofs.Add(proof);
                if (proof.Outcome != ProofOutcome.Proved)
                {
                    // It may be dead, or not be what it was.
                    await canary.DisposeAsync().ConfigureAwait(false);
                    canary = null;
                }
            }
        }
        finally
        {
            if (canary is not null)
            {
                await canary.DisposeAsync().ConfigureAwait(false);
            }
        }

        return host;
    }

    // Step 2. /dev/kvm may be there, and be of no use.
    private async Task<(CanaryGuest Canary, HypervisorHost Host)> StartAsync(
        HypervisorHost host, GuestShape shape, CancellationToken cancellationToken)
    {
        try
        {
            return (await nest.StartAsync(host, shape, cancellationToken).ConfigureAwait(false), host);
        }
        catch (SnapshotException e) when (host.DomainType == "kvm" && e.Code == SnapshotErrorCode.HypervisorError)
        {
            LogWithoutKvm(e);
            HypervisorHost emulated = host with { DomainType = "qemu" };
            return (await nest.StartAsync(emulated, shape, cancellationToken).ConfigureAwait(false), emulated);
        }
    }

    private async Task<CaptureProof> ProveAsync(
        CanaryGuest canary, CaptureKind kind, bool isRebase, CancellationToken cancellationToken)
    {
        Found before = await FindAsync(canary, cancellationToken).ConfigureAwait(false);
        using var limit = new CancellationTokenSource(ProofLimit, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limit.Token);
        try
        {
            await CaptureAsync(canary, before, kind, isRebase, either.Token).ConfigureAwait(false);

            // Step 4: it lives, as it was.
            await RequireSameAsync(canary, before, isLive: kind != CaptureKind.Cold, either.Token)
                .ConfigureAwait(false);
            return new CaptureProof(kind, canary.Shape, ProofOutcome.Proved);
        }
        catch (DeathException e)
        {
            return ProofWords.OfDeath(kind, canary.Shape, CanaryRemoval.FindLastWords(canary.Name) ?? e.Message);
        }
        catch (CanaryException e)
        {
            return ProofWords.OfWrong(kind, canary.Shape, e.Message);
        }
        catch (Exception e) when (e is SnapshotException or Images.ImageCopyException or OperationCanceledException
            && !cancellationToken.IsCancellationRequested)
        {
            LogFailed(e, kind, canary.Shape);
            bool hasDied = kind != CaptureKind.Cold
                && await HasDiedAsync(canary, before, cancellationToken).ConfigureAwait(false);
            return hasDied
                ? ProofWords.OfDeath(kind, canary.Shape, CanaryRemoval.FindLastWords(canary.Name) ?? e.Message)
                : ProofWords.OfFailure(kind, canary.Shape, e, ProofLimit);
        }
    }

    // Step 3: the way of a snapshot, in its order.
    private async Task CaptureAsync(
        CanaryGuest canary, Found before, CaptureKind kind, bool isRebase, CancellationToken cancellationToken)
    {
        JobJournal journal = journals.Begin(canary.Id);
        IReadOnlyList<UndoFailure> failures;
        try
        {
            var request = new CaptureRequest(
                journal.Header.JobId, before.Server, before.Server.Disks, QuiesceMode.Never, InternalSnapshot: false,
                isRebase, Bandwidth: () => null);
            ICapture capture = captures.First(c => c.Kind == kind);
            CapturedDisks captured = await capture
                .BeginAsync(request, journal, SilentObserver.Instance, cancellationToken).ConfigureAwait(false);
            await using (captured.ConfigureAwait(false))
            {
                await RequireTrueAsync(captured, cancellationToken).ConfigureAwait(false);
            }
        }
        finally
        {
            failures = await recovery.EndCheckAsync(journal).ConfigureAwait(false);
        }

        if (failures is [var failure, ..])
        {
            throw failure.Error as SnapshotException
                ?? new SnapshotException(SnapshotErrorCode.InternalError, "it could not be ended", failure.Error);
        }
    }

    private static async Task RequireTrueAsync(CapturedDisks captured, CancellationToken cancellationToken)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, captured.Lost);
        for (int i = 0; i < captured.Views.Count; i++)
        {
            if (!await CanaryDisk.IsSameAsync(captured.Views[i].Endpoint, i, either.Token).ConfigureAwait(false))
            {
                throw new CanaryException($"what was read of disk {captured.Views[i].Target} is not what it holds");
            }
        }

        if (captured.LostReason is { } reason)
        {
            throw reason;
        }
    }

    private async Task<Found> FindAsync(CanaryGuest canary, CancellationToken cancellationToken)
    {
        ServerDescription server = await FoundServer.FindAnsweringAsync(
            hypervisor, canary.Id, time, cancellationToken).ConfigureAwait(false)
            ?? throw new SnapshotException(SnapshotErrorCode.ServerNotFound, "somebody has removed a canary");
        server = await ChainResolver.CompleteAsync(server, cancellationToken).ConfigureAwait(false);
        string definition = await hypervisor.GetInactiveXmlAsync(canary.Id, cancellationToken).ConfigureAwait(false);
        return new Found(server, definition, QemuFiles.Find(server)?.ProcessId);
    }

    private async Task RequireSameAsync(
        CanaryGuest canary, Found before, bool isLive, CancellationToken cancellationToken)
    {
        foreach (string target in canary.Targets)
        {
            // libvirt does not know yet of a QEMU that has just ended: one that lives answers.
            await hypervisor.GetDiskUsageAsync(canary.Id, target, cancellationToken).ConfigureAwait(false);
        }

        Found now = await FindAsync(canary, cancellationToken).ConfigureAwait(false);
        if (isLive && !now.Server.IsActive)
        {
            throw new DeathException(now.Server.StateReason);
        }

        if (now.Server.PowerState != before.Server.PowerState)
        {
            throw new CanaryException($"its canary is {now.Server.PowerState.ToSnakeCase()} afterwards");
        }

        if (isLive && (now.Server.DomainId != before.Server.DomainId || now.ProcessId != before.ProcessId))
        {
            throw new CanaryException("its canary is another process afterwards");
        }

        if (now.Definition != before.Definition || !now.Server.IsPersistent)
        {
            throw new CanaryException("the definition of its canary is another one afterwards");
        }

        if (now.Server.ActiveJob is { } job)
        {
            throw new CanaryException($"a {job} job is left on its canary");
        }

        if (now.Server.Disks.FirstOrDefault(d => d.MirrorPath is not null) is { } mirrored)
        {
            throw new CanaryException($"a block job is left on disk {mirrored.Target} of its canary");
        }
    }

    private async Task<bool> HasDiedAsync(CanaryGuest canary, Found before, CancellationToken cancellationToken)
    {
        long start = time.GetTimestamp();
        while (time.GetElapsedTime(start) < DeathGrace)
        {
            ServerDescription? now = await hypervisor.PeekAsync(canary.Id, cancellationToken).ConfigureAwait(false);
            if (now is not { IsActive: true } || now.DomainId != before.Server.DomainId)
            {
                return true;
            }

            await Task.Delay(DeathPollInterval, time, cancellationToken).ConfigureAwait(false);
        }

        return false;
    }

    [LoggerMessage(6200, LogLevel.Information, "{Capture} of {Shape}: {Outcome} after {DurationMs:0} ms {Reason}")]
    private partial void LogProof(
        CaptureKind capture, GuestShape shape, ProofOutcome outcome, double durationMs, string reason);

    [LoggerMessage(6201, LogLevel.Warning, "{Capture} of {Shape} failed on its canary")]
    private partial void LogFailed(Exception exception, CaptureKind capture, GuestShape shape);

    [LoggerMessage(6202, LogLevel.Warning, "No canary could be made")]
    private partial void LogUnmade(Exception exception);

    [LoggerMessage(6203, LogLevel.Information, "A canary could not be started with KVM; it is emulated")]
    private partial void LogWithoutKvm(Exception exception);

    /// <summary>A canary before or after a capture.</summary>
    private sealed record Found(ServerDescription Server, string Definition, int? ProcessId);

    /// <summary>What a capture must not do to a guest.</summary>
    private sealed class CanaryException(string message) : Exception(message);

    /// <summary>The capture seemed to succeed, and the canary is dead.</summary>
    private sealed class DeathException(string? reason) : Exception($"libvirt says that it is {reason ?? "shut off"}");

    /// <summary>Nobody watches a check.</summary>
    private sealed class SilentObserver : ICaptureObserver
    {
        public static readonly SilentObserver Instance = new();

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
