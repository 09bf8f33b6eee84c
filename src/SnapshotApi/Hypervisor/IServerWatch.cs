namespace SnapshotApi.Hypervisor;

/// <summary>Follows one server by libvirt's events while it is captured.</summary>
internal interface IServerWatch : IDisposable
{
    /// <summary>Cancelled when the server stopped, crashed or was destroyed, and as soon as its guest has shut down.</summary>
    CancellationToken Stopped { get; }

    /// <summary>Cancelled when the server was started, by whomever.</summary>
    CancellationToken Started { get; }

    /// <summary>Cancelled when the CPUs of the server were let run, by whomever.</summary>
    CancellationToken Resumed { get; }

    /// <summary>Cancelled when QEMU reported an I/O error of a disk that is watched, and did not ignore it.</summary>
    CancellationToken IoError { get; }

    /// <summary>Events were lost, for the connection that brings them was: what happened meanwhile must be looked up.</summary>
    bool HasMissedEvents { get; }

    /// <summary>Whose I/O errors count, by libvirt's aliases; null, as at first: those of every device.</summary>
    IReadOnlySet<string>? WatchedAliases { get; set; }

    /// <summary>What happened, in words; null while nothing has.</summary>
    string? Reason { get; }
}
