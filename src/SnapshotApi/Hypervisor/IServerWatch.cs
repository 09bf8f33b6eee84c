using System.Diagnostics.CodeAnalysis;
using SnapshotApi.Libvirt;

namespace SnapshotApi.Hypervisor;

/// <summary>Follows one server by libvirt's events while it is captured.</summary>
internal interface IServerWatch : IDisposable
{
    /// <summary>Cancelled when the server stopped, crashed or was destroyed, or its guest has shut down.</summary>
    CancellationToken Stopped { get; }

    /// <summary>Cancelled when anybody started the server.</summary>
    CancellationToken Started { get; }

    /// <summary>Cancelled when anybody let the server's CPUs run.</summary>
    CancellationToken Resumed { get; }

    /// <summary>Cancelled when QEMU reported an I/O error of a watched disk, and did not ignore it.</summary>
    CancellationToken IoError { get; }

    /// <summary>Events were lost with their connection: what happened meanwhile must be looked up.</summary>
    bool HasMissedEvents { get; }

    /// <summary>libvirt's aliases of the devices whose I/O errors count; null: all, the default.</summary>
    IReadOnlySet<string>? WatchedAliases { get; set; }

    /// <summary>What happened, in words; null while nothing has.</summary>
    string? Reason { get; }
}

/// <summary><see cref="IServerWatch"/> fed by <see cref="LibvirtEvents"/>.</summary>
[SuppressMessage("Usage", "CA2213", Justification = "An event may be under way; nothing has to be freed.")]
internal sealed class ServerWatch(Guid serverId, Action<ServerWatch> remove) : IServerWatch
{
    private readonly CancellationTokenSource _stopped = new();
    private readonly CancellationTokenSource _started = new();
    private readonly CancellationTokenSource _resumed = new();
    private readonly CancellationTokenSource _ioError = new();

    // Of a device that is not watched: the pause that follows is due to it.
    private bool _isForeignIoError;

    public Guid ServerId { get; } = serverId;

    public CancellationToken Stopped => _stopped.Token;

    public CancellationToken Started => _started.Token;

    public CancellationToken Resumed => _resumed.Token;

    public CancellationToken IoError => _ioError.Token;

    public bool HasMissedEvents { get; private set; }

    public IReadOnlySet<string>? WatchedAliases { get; set; }

    public string? Reason { get; private set; }

    public void OnLifecycle(LifecycleEvent e)
    {
        switch (e.Type)
        {
            case LifecycleEventType.Stopped or LifecycleEventType.Crashed:
                Reason ??= e.Type == LifecycleEventType.Crashed
                    ? "it crashed"
                    : $"it stopped ({(LifecycleStoppedDetail)e.Detail})";
                Signal(_stopped);
                break;
            case LifecycleEventType.ShutDown:
                // While a backup job is at work, libvirt 9.0 reports the end of the process only 30 s later.
                Reason ??= $"it shuts down ({(LifecycleShutDownDetail)e.Detail})";
                Signal(_stopped);
                break;
            case LifecycleEventType.Started:
                Signal(_started);
                break;
            case LifecycleEventType.Suspended when e.Detail == (int)LifecycleSuspendedDetail.IoError
                && !_isForeignIoError:
                Reason ??= "the guest was paused";
                Signal(_ioError);
                break;
            case LifecycleEventType.Resumed:
                Signal(_resumed);
                break;
        }
    }

    /// <summary>Errors that QEMU ignores do not count. That of a full scratch file names no device.</summary>
    public void OnIoError(string deviceAlias, IoErrorAction action, string reason)
    {
        if (action == IoErrorAction.None
            || (WatchedAliases is { } watched && deviceAlias.Length > 0 && !watched.Contains(deviceAlias)))
        {
            _isForeignIoError = true;
            return;
        }

        Reason ??= reason;
        Signal(_ioError);
    }

    public void OnDisconnected() => HasMissedEvents = true;

    public void Dispose() => remove(this);

    // Registered callbacks run elsewhere: this is libvirt's event thread.
    private static void Signal(CancellationTokenSource source) => _ = source.CancelAsync();
}
