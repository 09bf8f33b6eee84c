namespace SnapshotApi.Contracts;

/// <summary>One request to snapshot one server, and what became of it.</summary>
/// <param name="Id">Id of the job.</param>
/// <param name="Server">The server that is imaged.</param>
/// <param name="Node">Node that runs the server, and so the job.</param>
/// <param name="Name">Name of the image, as asked for.</param>
/// <param name="Mode">The capture asked for.</param>
/// <param name="Capture">The capture chosen, and why; null before the plan is made.</param>
/// <param name="Status">
/// Where the job stands. <c>succeeded</c>, <c>failed</c> and <c>cancelled</c> are final: nothing changes after them.
/// </param>
/// <param name="Step">Current step, or the last one.</param>
/// <param name="TaskState">The task state that OpenStack Nova would show; null when the job is final.</param>
/// <param name="BandwidthBytesPerSecond">
/// Limit for reading the disks, in bytes a second, as last asked for; null for none.
/// </param>
/// <param name="Progress">How far the job is.</param>
/// <param name="Disks">The disks that are imaged; empty before the plan is made.</param>
/// <param name="Consistency">How consistent the image is; null before its instant.</param>
/// <param name="GuestDowntimeMs">
/// Milliseconds that the guest did not run because of this job; null before it is known.
/// </param>
/// <param name="Downtime">
/// What the downtime of a cold capture was spent on; null for a live one, and for a server that was off.
/// </param>
/// <param name="FreezeMs">Milliseconds that the guest's file systems were frozen; null when none, or not yet.</param>
/// <param name="FrozenFileSystems">How many file systems the guest agent froze; null when none, or not yet.</param>
/// <param name="Attempts">How often a worker has begun the job; more than 1 after a worker died.</param>
/// <param name="Warnings">What was done in a weaker way than asked, or left out.</param>
/// <param name="Error">Why the job failed or was cancelled; null otherwise.</param>
/// <param name="CreatedAt">When the job was accepted.</param>
/// <param name="StartedAt">When its first run began; null before.</param>
/// <param name="FinishedAt">When it became final; null before.</param>
/// <param name="Links">Related addresses.</param>
public sealed record Job(
    Guid Id,
    ServerReference Server,
    string Node,
    string Name,
    string Mode,
    JobCapture? Capture,
    string Status,
    string Step,
    string? TaskState,
    long? BandwidthBytesPerSecond,
    Progress Progress,
    IReadOnlyList<JobDiskState> Disks,
    string? Consistency,
    long? GuestDowntimeMs,
    Downtime? Downtime,
    long? FreezeMs,
    int? FrozenFileSystems,
    int Attempts,
    IReadOnlyList<string> Warnings,
    JobFailure? Error,
    DateTimeOffset CreatedAt,
    DateTimeOffset? StartedAt,
    DateTimeOffset? FinishedAt,
    JobLinks Links);

/// <summary>The capture chosen for a job.</summary>
/// <param name="Kind">How a stable view of the disks is obtained.</param>
/// <param name="Reason">Why this one, in a sentence.</param>
public sealed record JobCapture(string Kind, string? Reason);

/// <summary>One disk of a job.</summary>
/// <param name="Target">Device name in the guest, for example <c>vda</c>.</param>
/// <param name="SizeBytes">Size that the guest sees; null before it is known.</param>
/// <param name="AllocatedBytes">What the guest's disk holds; null before it was measured.</param>
/// <param name="BytesDone">Bytes done of the current phase.</param>
/// <param name="BytesTotal">
/// Bytes of that phase: of a copy that precedes the image, of making the image, or of sending it. Null before they are
/// known.
/// </param>
/// <param name="Image">The published image; null before that.</param>
public sealed record JobDiskState(
    string Target, long? SizeBytes, long? AllocatedBytes, long BytesDone, long? BytesTotal, JobImage? Image);

/// <summary>Why a job failed.</summary>
/// <param name="Code">Stable code for programs.</param>
/// <param name="Message">What happened, in words.</param>
/// <param name="Step">Step in which it happened.</param>
public sealed record JobFailure(string Code, string Message, string Step);

/// <summary>The image that a job made of one disk.</summary>
/// <param name="Id">Id of the image; it is at <c>/images/{id}</c>.</param>
/// <param name="Store">Name of the store that holds it.</param>
/// <param name="Location">Where it is within its store.</param>
/// <param name="Format">Format of the file.</param>
/// <param name="SizeBytes">Length of the file.</param>
/// <param name="Digest">Digest of the file's bytes.</param>
public sealed record JobImage(
    Guid Id, string Store, string Location, string Format, long SizeBytes, ImageDigest Digest);

/// <summary>Addresses related to a job.</summary>
/// <param name="Self">The job; poll it.</param>
/// <param name="Events">Its step log.</param>
/// <param name="Server">Its server.</param>
/// <param name="Cancel">Send DELETE to cancel the job; null when it is final.</param>
/// <param name="Images">The images it has published, in the order of its disks.</param>
public sealed record JobLinks(string Self, string Events, string Server, string? Cancel, IReadOnlyList<string> Images);

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
public sealed record JobEventEntry(
    long Sequence, DateTimeOffset At, string Kind, string Step, string? Message, long? DurationMs);

/// <summary>
/// What to change of a job, as a JSON merge patch (RFC 7396): a member that is left out stays, null removes it.
/// Unknown members are errors.
/// </summary>
/// <param name="BandwidthBytesPerSecond">Limit for reading the disks, in bytes a second; null lifts it.</param>
public sealed record JobPatch(long? BandwidthBytesPerSecond);

/// <summary>
/// How far a job is. A copy that precedes the images, making an image and sending it are phases: bytes are those of the
/// current phase, percent is of all phases.
/// </summary>
/// <param name="Percent">
/// 0 to 100; never falls while one worker runs the job; 100 only when the job has succeeded.
/// </param>
/// <param name="BytesDone">Bytes done in this phase. Each phase begins at 0.</param>
/// <param name="BytesTotal">
/// Bytes of this phase, without holes; of a raw image all bytes of the disk, since its zeros have to be hashed. Null
/// before they are known.
/// </param>
/// <param name="BytesPerSecond">Rate of those bytes over the last seconds; null when nothing moves.</param>
/// <param name="SecondsLeft">
/// Time left for all phases at that rate; null in steps that move no bytes, and when it is not known.
/// </param>
public sealed record Progress(
    int Percent, long BytesDone, long? BytesTotal, long? BytesPerSecond, long? SecondsLeft);

/// <summary>What the downtime of a cold capture was spent on.</summary>
/// <param name="SaveMs">Milliseconds until the guest's memory was saved.</param>
/// <param name="CopyMs">
/// Milliseconds until its top layers were cloned or copied; with an internal snapshot until its image was read.
/// </param>
/// <param name="RestoreMs">Milliseconds until it ran again.</param>
public sealed record Downtime(long SaveMs, long CopyMs, long RestoreMs);
