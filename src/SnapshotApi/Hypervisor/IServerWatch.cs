namespace SnapshotApi.Hypervisor;

/// <summary>Follows one server by libvirt's events while it is captured.</summary>
internal interface IServerWatch : IDisposable
{
    /// <summary>Cancelled when the server stopped, crashed or was destroyed, and as soon as its guest has shut down.</summary>
    CancellationToken Stopped { get; }

    /// <summary>Cancelled when the server was started, by whomever.</summary>
    CancellationToken Started { get; }

    /// <summary>Cancelled when QEMU reported an I/O error, or paused the guest for one.</summary>
    CancellationToken IoError { get; }

    /// <summary>What happened, in words; null while nothing has.</summary>
    string? Reason { get; }
}
