using SnapshotApi.Hypervisor;
using SnapshotApi.Linux;

namespace SnapshotApi.Captures;

/// <summary>What this node knows of its captures. No job begins before that is known. Thread-safe.</summary>
internal sealed class CaptureFindings
{
    private readonly Lock _lock = new();
    private readonly TaskCompletionSource _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile TaskCompletionSource? _changing;
    private volatile NodeCheck? _current;
    private FileIdentity? _provedQemu;

    public CaptureFindings(IOptions<NodeOptions> options)
    {
        if (options.Value.CheckCaptures == CaptureChecking.Off)
        {
            _opened.SetResult();
        }
    }

    /// <summary>It became another.</summary>
    public event Action? Changed;

    /// <summary>The last check, or the one at work; null: none was needed, or none has begun.</summary>
    public NodeCheck? Current => _current;

    /// <summary>Jobs wait for the end of a check.</summary>
    public bool HoldsJobs => !_opened.Task.IsCompleted || _changing is not null;

    /// <summary>A check begins.</summary>
    /// <param name="holdsJobs">What was known before does not count any more.</param>
    public void Begin(NodeCheck check, bool holdsJobs)
    {
        if (holdsJobs)
        {
            _changing ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        _current = check;
        Changed?.Invoke();
    }

    /// <summary>What is known now; null: this node has nothing to prove.</summary>
    /// <param name="emulator">Path of the QEMU that was proved, as it is there now.</param>
    public void End(NodeCheck? check, string? emulator = null)
    {
        lock (_lock)
        {
            _provedQemu = emulator is null ? null : FileIdentity.Find(emulator);
        }

        _current = check;
        _opened.TrySetResult();
        Interlocked.Exchange(ref _changing, null)?.SetResult();
        Changed?.Invoke();
    }

    /// <summary>
    /// What is known for a server: proofs count for a guest that runs the QEMU which was proved, and not for one that
    /// was started before an upgrade, or with an emulator of its own. What kills canaries is disabled for all.
    /// </summary>
    public NodeCheck? For(ServerDescription server)
    {
        if (_current is not { } check || !server.IsActive)
        {
            return _current;
        }

        FileIdentity? runs = QemuFiles.Find(server) is { ProcessId: var process }
            ? FileIdentity.Find(string.Create(CultureInfo.InvariantCulture, $"/proc/{process}/exe"))
            : null;
        lock (_lock)
        {
            return runs is not null && runs == _provedQemu
                ? check
                : check with { Proofs = [.. check.Proofs.Where(p => p.Outcome == ProofOutcome.Failed)] };
        }
    }

    /// <summary>Waits until it is known which captures are safe.</summary>
    public async Task WaitAsync(CancellationToken cancellationToken)
    {
        await _opened.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
        if (_changing is { } changing)
        {
            await changing.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }
}
