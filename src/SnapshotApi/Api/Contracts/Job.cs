using SnapshotApi.Captures;
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
