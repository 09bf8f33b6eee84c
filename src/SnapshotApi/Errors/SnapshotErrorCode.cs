using System.Text.Json.Serialization;

namespace SnapshotApi.Errors;

/// <summary>
/// What went wrong, as a closed list. The snake_case form (<c>server_busy</c>) is part of the HTTP contract and of the
/// job row: a value may be added, never renamed.
/// </summary>
[JsonConverter(typeof(SnakeCaseEnumConverter<SnapshotErrorCode>))]
internal enum SnapshotErrorCode
{
    /// <summary>The request is malformed; every wrong field is named.</summary>
    InvalidRequest,

    /// <summary>No node runs a server of that UUID or name.</summary>
    ServerNotFound,

    ServerAmbiguous,

    /// <summary>A job of ours, or somebody else's block job, backup job or migration, works on the server.</summary>
    ServerBusy,

    /// <summary>The server or the job is in a state in which this can't be done.</summary>
    StateConflict,

    /// <summary>The disk can't be captured in the way asked for; the message names disk and reason.</summary>
    UnsupportedDisk,

    /// <summary>The option or capture is not available for this server or on this node.</summary>
    UnsupportedRequest,

    /// <summary>The node's libvirt does not answer.</summary>
    HypervisorUnavailable,

    HypervisorError,

    /// <summary>The guest could not be frozen as required, or could not be thawed.</summary>
    QuiesceFailed,

    /// <summary>The guest was stopped, destroyed or crashed while its disks were read.</summary>
    ServerStopped,

    CopySourceFailed,
    CopyDestinationFailed,

    /// <summary>Not enough free space on the node for scratch, clone or image.</summary>
    NoSpace,

    /// <summary>What was written, or what the guest holds, is not the image it should be.</summary>
    ImageRejected,

    /// <summary>A child process (qemu-img, qemu-nbd) failed.</summary>
    ToolFailed,

    StoreFailed,

    /// <summary>The image is larger than the image store allows, or than its quota has left.</summary>
    QuotaExceeded,

    /// <summary>The image was deleted in its store by somebody else while it was being written.</summary>
    ImageDeleted,

    /// <summary>No progress within the stall limit, or the job's deadline passed.</summary>
    TimedOut,

    /// <summary>The worker died and the job was not run again.</summary>
    Abandoned,

    /// <summary>The node of the job does not answer any more, or was deleted.</summary>
    NodeLost,

    Cancelled,
    JobNotFound,
    ImageNotFound,

    /// <summary>No node of that name has ever sent a heartbeat.</summary>
    NodeNotFound,

    /// <summary>The image's file is on another node than the one asked.</summary>
    ImageNotLocal,

    /// <summary>The Idempotency-Key was used before with another body.</summary>
    IdempotencyMismatch,

    DatabaseUnavailable,

    /// <summary>A defect of this service.</summary>
    InternalError,
}
