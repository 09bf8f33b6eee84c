using System.Text.Json.Serialization;
using SnapshotApi.Captures;
using SnapshotApi.Errors;
using SnapshotApi.Images;
using SnapshotApi.Persistence;
using SnapshotApi.Snapshots;

namespace SnapshotApi.Api.Contracts;

/// <summary>One request to snapshot one server, and what became of it.</summary>
internal sealed record Job
{
    /// <summary>Id of the job.</summary>
    public required Guid Id { get; init; }

    /// <summary>The server that is imaged.</summary>
    public required ServerReference Server { get; init; }

    /// <summary>Node that runs the server, and so the job.</summary>
    public required string Node { get; init; }

    /// <summary>Name of the image, as asked for.</summary>
    public required string Name { get; init; }

    /// <summary>The capture asked for.</summary>
    public required SnapshotMode Mode { get; init; }

    /// <summary>The capture chosen, and why; null before the plan is made.</summary>
    public required JobCapture? Capture { get; init; }

    /// <summary>Where the job stands. <c>succeeded</c>, <c>failed</c> and <c>cancelled</c> are final: nothing changes after them.</summary>
    public required JobStatus Status { get; init; }

    /// <summary>Step at work, or the last one.</summary>
    public required SnapshotStep Step { get; init; }

    /// <summary>The task state that OpenStack Nova would show; null when the job is final.</summary>
    public required TaskState? TaskState { get; init; }

    /// <summary>Limit for reading the disks, in bytes a second, as last asked for; null for none.</summary>
    public required long? BandwidthBytesPerSecond { get; init; }

    /// <summary>How far the job is.</summary>
    public required Progress Progress { get; init; }

    /// <summary>The disks that are imaged; empty before the plan is made.</summary>
    public required IReadOnlyList<JobDiskState> Disks { get; init; }

    /// <summary>How consistent the image is; null before its instant.</summary>
    public required Consistency? Consistency { get; init; }

    /// <summary>Milliseconds that the guest did not run because of this job; null before it is known.</summary>
    public required long? GuestDowntimeMs { get; init; }

    /// <summary>What the downtime of a cold capture was spent on; null for a live one, and for a server that was off.</summary>
    public required Downtime? Downtime { get; init; }

    /// <summary>Milliseconds that the guest's file systems were frozen; null when they were not, or not yet.</summary>
    public required long? FreezeMs { get; init; }

    /// <summary>How many file systems the guest agent froze for this job; null when none, or not yet.</summary>
    public required int? FrozenFileSystems { get; init; }

    /// <summary>How often a worker has begun the job; more than 1 after a worker died.</summary>
    public required int Attempts { get; init; }

    /// <summary>What was done in a weaker way than asked, or left out.</summary>
    public required IReadOnlyList<string> Warnings { get; init; }

    /// <summary>Why the job failed or was cancelled; null otherwise.</summary>
    public required JobFailure? Error { get; init; }

    /// <summary>When the job was accepted.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>When its first run began; null before.</summary>
    public required DateTimeOffset? StartedAt { get; init; }

    /// <summary>When it became final; null before.</summary>
    public required DateTimeOffset? FinishedAt { get; init; }

    /// <summary>Where to go from here.</summary>
    public required JobLinks Links { get; init; }
}

/// <summary>The capture chosen for a job.</summary>
/// <param name="Kind">How a stable view of the disks is obtained.</param>
/// <param name="Reason">Why this one, in a sentence.</param>
internal sealed record JobCapture(CaptureKind Kind, string? Reason);

/// <summary>One disk of a job.</summary>
/// <param name="Target">Device name in the guest, for example <c>vda</c>.</param>
/// <param name="SizeBytes">Size that the guest sees; null before it is known.</param>
/// <param name="AllocatedBytes">What the guest's disk holds; null before it was measured.</param>
/// <param name="BytesDone">Bytes done of the phase at work.</param>
/// <param name="BytesTotal">Bytes of that phase: of a copy that precedes the image, of making the image, or of sending it. Null before they are known.</param>
/// <param name="Image">The published image; null before that.</param>
internal sealed record JobDiskState(string Target, long? SizeBytes, long? AllocatedBytes, long BytesDone, long? BytesTotal, JobImage? Image);

/// <summary>Why a job failed.</summary>
/// <param name="Code">Stable code from the closed list.</param>
/// <param name="Message">What happened, in words.</param>
/// <param name="Step">Step in which it happened.</param>
internal sealed record JobFailure(SnapshotErrorCode Code, string Message, SnapshotStep Step);

/// <summary>The image that a job made of one disk.</summary>
/// <param name="Id">Id of the image; it is at <c>/images/{id}</c>.</param>
/// <param name="Store">Name of the store that holds it.</param>
/// <param name="Location">Where it is within its store.</param>
/// <param name="Format">Format of the file.</param>
/// <param name="SizeBytes">Length of the file.</param>
/// <param name="Digest">Digest of the file's bytes.</param>
internal sealed record JobImage(Guid Id, string Store, string Location, ImageFormat Format, long SizeBytes, ImageDigest Digest);

/// <summary>Addresses that belong to a job.</summary>
/// <param name="Self">The job; poll it.</param>
/// <param name="Events">Its step log.</param>
/// <param name="Server">Its server.</param>
/// <param name="Cancel">Send DELETE to cancel the job; null when it is final.</param>
/// <param name="Images">The images it has published, in the order of its disks.</param>
internal sealed record JobLinks(string Self, string Events, string Server, string? Cancel, IReadOnlyList<string> Images);

/// <summary>One line of a job's step log.</summary>
/// <param name="Sequence">Grows within the job, from 1.</param>
/// <param name="At">When it happened, on the node's clock.</param>
/// <param name="Kind">
/// <c>accepted</c>, <c>claimed</c>, <c>plan</c>, <c>step</c>, <c>warning</c>, <c>image</c>, <c>cancel_requested</c>,
/// <c>requeued</c> or <c>finished</c>; more may be added.
/// </param>
/// <param name="Step">Step at that time.</param>
/// <param name="Message">What happened, in words; null when the kind says all.</param>
/// <param name="DurationMs">How long a step took, in milliseconds; null while it lasts, and for other kinds.</param>
internal sealed record JobEventEntry(
    long Sequence, DateTimeOffset At, string Kind, SnapshotStep Step, string? Message, long? DurationMs);

/// <summary>
/// What to change of a job, as a JSON merge patch (RFC 7396): a member that is left out stays as it is, null takes it away. Unknown
/// members are errors. This type only describes the body: it is read by <see cref="Validation.JobPatchReader"/>.
/// </summary>
internal sealed record JobPatch
{
    /// <summary>Limit for reading the disks, in bytes a second; null lifts it.</summary>
    public long? BandwidthBytesPerSecond { get; init; }
}

/// <summary>
/// How far a job is. A copy that precedes the images, making an image and sending it are phases: bytes are those of the phase at work,
/// percent is of all phases.
/// </summary>
/// <param name="Percent">0 to 100; never falls while one worker runs the job; 100 only when the job has succeeded.</param>
/// <param name="BytesDone">Bytes done in this phase. They begin anew with each phase.</param>
/// <param name="BytesTotal">
/// Bytes of this phase, holes left out; of a raw image all bytes of the disk, since its zeros have to be hashed. Null before they are known.
/// </param>
/// <param name="BytesPerSecond">Rate of those bytes over the last seconds; null when nothing moves.</param>
/// <param name="SecondsLeft">Time left for all phases at that rate; null in steps that move no bytes, and when it can't be told.</param>
internal sealed record Progress(int Percent, long BytesDone, long? BytesTotal, long? BytesPerSecond, long? SecondsLeft);

/// <summary>Task state of a snapshot, in OpenStack Nova's words.</summary>
[JsonConverter(typeof(SnakeCaseEnumConverter<TaskState>))]
internal enum TaskState
{
    /// <summary>Waits for its node, or is being planned.</summary>
    ImageSnapshotPending,

    /// <summary>The capture makes the disks readable.</summary>
    ImageSnapshot,

    /// <summary>The image is about to be sent.</summary>
    ImagePendingUpload,

    /// <summary>The image is on its way into the store.</summary>
    ImageUploading,
}

/// <summary>What the downtime of a cold capture was spent on.</summary>
/// <param name="SaveMs">Milliseconds until the guest's memory was saved.</param>
/// <param name="CopyMs">Milliseconds until its top layers were cloned or copied; with an internal snapshot until its image was read.</param>
/// <param name="RestoreMs">Milliseconds until it ran again.</param>
internal sealed record Downtime(long SaveMs, long CopyMs, long RestoreMs);
