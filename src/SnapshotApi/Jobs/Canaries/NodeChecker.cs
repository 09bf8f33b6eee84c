using SnapshotApi.Captures;
using SnapshotApi.Hypervisor;
using SnapshotApi.Persistence;

namespace SnapshotApi.Jobs;

/// <summary>
/// Sees to it that the node knows which of its captures are safe: from the check that is remembered, or by a new one
/// when what that depends on has changed, when somebody asks, or when a canary could not be made. Needs libvirt only.
/// </summary>
internal sealed partial class NodeChecker(
    CaptureFindings findings,
    ICanaryTrial trial,
    IHypervisor hypervisor,
    NodeDirectories directories,
    DatabaseListener listener,
    IOptions<NodeOptions> options,
    TimeProvider time,
    ILogger<NodeChecker> logger)
{
    // An upgrade of QEMU tells nobody.
    private static readonly TimeSpan LookInterval = TimeSpan.FromMinutes(1);

    // libvirt is being connected to while the service starts.
    private static readonly TimeSpan ConnectInterval = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan RetryInterval = TimeSpan.FromSeconds(1);

    // What keeps a canary from being made may have passed: memory, space.
    private static readonly TimeSpan UnknownInterval = TimeSpan.FromMinutes(10);

    private readonly WakeSignal _wake = new(time);
    private RememberedCheck? _last;
    private RememberedCheck? _known;
    private long _lastAt;
    private bool _hasStarted;
    private volatile bool _isAsked;

    /// <summary>Keeps what is known true until cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        using IDisposable subscription = listener.Subscribe(Channels.Check, OnAsked);
        hypervisor.InventoryChanged += OnInventoryChanged;
        try
        {
            while (true)
            {
                TimeSpan pause = await LookAsync(cancellationToken).ConfigureAwait(false);
                await _wake.WaitAsync(pause, cancellationToken).ConfigureAwait(false);
            }
        }
        finally
        {
            hypervisor.InventoryChanged -= OnInventoryChanged;
        }
    }

    private void OnAsked(string? payload)
    {
        if (payload == options.Value.Name)
        {
            _isAsked = true;
            _wake.Set();
        }
    }

    // Null: the connection was lost or came back, and libvirt may be another one.
    private void OnInventoryChanged(Guid? serverId)
    {
        if (serverId is null)
        {
            _wake.Set();
        }
    }

    /// <returns>How long to wait before the next look.</returns>
    private async Task<TimeSpan> LookAsync(CancellationToken cancellationToken)
    {
        if (!hypervisor.IsConnected)
        {
            return findings.HoldsJobs ? ConnectInterval : LookInterval;
        }

        try
        {
            NodeCapabilities node = await hypervisor.GetCapabilitiesAsync(cancellationToken).ConfigureAwait(false);
            if (!node.IsQemu)
            {
                // Containers, and libvirt's own test driver, have one capture or none.
                findings.End(null);
                return LookInterval;
            }

            CheckedHost host = await CheckedHost.ReadAsync(hypervisor, node, cancellationToken).ConfigureAwait(false);
            if (host.Architecture is not (null or "x86_64" or "i686"))
            {
                // A canary's boot sector is x86's.
                findings.End(null);
                return LookInterval;
            }

            Remember(host);
            if (options.Value.CheckCaptures == CaptureChecking.Off && _last is not null && _last.Host != host)
            {
                // What was found out on demand holds for what it was found out of.
                _last = null;
                findings.End(null);
            }

            if (IsDue(host))
            {
                await CheckAsync(host, cancellationToken).ConfigureAwait(false);
            }

            return LookInterval;
        }
        catch (SnapshotException e)
        {
            LogHypervisor(e);
            return RetryInterval;
        }
    }

    // Once: what is remembered counts if nothing has changed.
    private void Remember(CheckedHost host)
    {
        if (_hasStarted)
        {
            return;
        }

        _hasStarted = true;
        if (RememberedCheck.Find(directories.Check) is not { } remembered || remembered.Host != host)
        {
            return;
        }

        _known = remembered;
        if (options.Value.CheckCaptures != CaptureChecking.Always && remembered.Lasts)
        {
            (_last, _lastAt) = (remembered, time.GetTimestamp());
            LogRemembered(remembered.Check.StartedAt);
            findings.End(remembered.Check, host.Emulator);
        }
    }

    private bool IsDue(CheckedHost host) => _isAsked
        || (options.Value.CheckCaptures != CaptureChecking.Off
            && (_last is null
                || _last.Host != host
                || (_last.Check.Proofs.Any(p => p.Outcome != ProofOutcome.Proved && !p.IsLasting)
                    && time.GetElapsedTime(_lastAt) > UnknownInterval)));

    private async Task CheckAsync(CheckedHost host, CancellationToken cancellationToken)
    {
        // Whoever asks from now on gets another one.
        bool isAsked = _isAsked;
        _isAsked = false;
        DateTimeOffset startedAt = time.GetUtcNow();
        bool isChanged = options.Value.CheckCaptures != CaptureChecking.Off && _last?.Host != host;
        LogChecking(isChanged);
        findings.Begin(new NodeCheck(startedAt, null, isChanged ? [] : _last?.Check.Proofs ?? []), isChanged);
        IReadOnlyList<CaptureProof> proofs = await trial.RunAsync(cancellationToken).ConfigureAwait(false);
        RememberedCheck? known = (_last ?? _known) is { } earlier && earlier.Host == host ? earlier : null;
        var check = new NodeCheck(
            startedAt, time.GetUtcNow(), [.. proofs.Select(p => Weigh(p, known?.Check, isAsked))]);
        (_last, _lastAt) = (new RememberedCheck(host, check), time.GetTimestamp());
        findings.End(check, host.Emulator);
        LogChecked((check.EndedAt - startedAt)!.Value.TotalMilliseconds);
        foreach (string problem in check.Describe(ProofOutcome.Failed).Concat(check.Describe(ProofOutcome.Unknown)))
        {
            LogProblem(problem);
        }

        try
        {
            _last.Save(directories.Check);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The next start checks again.
            LogUnsaved(e);
        }
    }

    /// <summary>
    /// What has killed a canary stays disabled until its host changes: a check that could not be made says nothing of
    /// it, and one that the node makes by itself may only have been lucky.
    /// </summary>
    private static CaptureProof Weigh(CaptureProof now, NodeCheck? known, bool isAsked) =>
        known?.Proofs.FirstOrDefault(p => p.Capture == now.Capture && p.Shape == now.Shape) is
        { Outcome: ProofOutcome.Failed, IsLasting: true } before
        && (now.Outcome == ProofOutcome.Unknown || !isAsked)
            ? before
            : now;

    [LoggerMessage(6210, LogLevel.Information,
        "Proving the captures on canaries; jobs wait for the end of that: {HoldsJobs}")]
    private partial void LogChecking(bool holdsJobs);

    [LoggerMessage(6211, LogLevel.Information, "The captures were checked, in {DurationMs:0} ms")]
    private partial void LogChecked(double durationMs);

    [LoggerMessage(6212, LogLevel.Warning, "{Problem}")]
    private partial void LogProblem(string problem);

    [LoggerMessage(6213, LogLevel.Information, "What was found out of the captures at {StartedAt} still holds")]
    private partial void LogRemembered(DateTimeOffset startedAt);

    [LoggerMessage(6214, LogLevel.Warning, "The outcome of the check could not be remembered")]
    private partial void LogUnsaved(Exception exception);

    [LoggerMessage(6215, LogLevel.Warning, "The captures can't be checked now; that is tried again")]
    private partial void LogHypervisor(Exception exception);
}
