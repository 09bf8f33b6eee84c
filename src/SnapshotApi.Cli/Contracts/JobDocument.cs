using System.Text.Json.Nodes;

namespace SnapshotApi.Cli.Contracts;

/// <summary>A job as <c>GET /jobs/{id}</c> answers it. Members that a service does not send are null.</summary>
internal sealed record JobDocument
{
    public string? Id { get; init; }

    public ReferenceDocument? Server { get; init; }

    public string? Node { get; init; }

    public string? Name { get; init; }

    /// <summary>The mode asked for.</summary>
    public string? Mode { get; init; }

    public CaptureDocument? Capture { get; init; }

    /// <summary><c>queued</c>, <c>running</c>, <c>succeeded</c>, <c>failed</c>, <c>cancelled</c>.</summary>
    public string? Status { get; init; }

    public string? Step { get; init; }

    public long? BandwidthBytesPerSecond { get; init; }

    public JobProgressDocument? Progress { get; init; }

    public IReadOnlyList<JobDiskDocument>? Disks { get; init; }

    public string? Consistency { get; init; }

    public long? GuestDowntimeMs { get; init; }

    public DowntimeDocument? Downtime { get; init; }

    public long? FreezeMs { get; init; }

    public int? FrozenFileSystems { get; init; }

    public int? Attempts { get; init; }

    public bool? CancelRequested { get; init; }

    public IReadOnlyList<string>? Warnings { get; init; }

    public JobErrorDocument? Error { get; init; }

    public DateTimeOffset? CreatedAt { get; init; }

    public DateTimeOffset? StartedAt { get; init; }

    public DateTimeOffset? FinishedAt { get; init; }

    /// <summary>No further change will come.</summary>
    public bool IsFinal => Status is "succeeded" or "failed" or "cancelled";

    /// <summary>What the process tells the shell of a job that it has waited for.</summary>
    public int OutcomeExitCode => Status switch
    {
        "succeeded" => ExitCode.Ok,
        "cancelled" => ExitCode.Cancelled,
        _ => ExitCode.Failed,
    };
}

/// <summary>The capture that the service chose, and why.</summary>
internal sealed record CaptureDocument(string? Kind, string? Reason);

/// <summary>Id and name.</summary>
internal sealed record ReferenceDocument(string? Id, string? Name);

/// <summary>What the downtime of a cold capture was spent on.</summary>
internal sealed record DowntimeDocument(long? SaveMs, long? CopyMs, long? RestoreMs);

/// <summary>Progress of the whole job.</summary>
internal sealed record JobProgressDocument(
    double? Percent, long? BytesDone, long? BytesTotal, long? BytesPerSecond, double? SecondsLeft);

/// <summary>One disk of a job.</summary>
internal sealed record JobDiskDocument(string? Target, long? SizeBytes, long? AllocatedBytes, long? BytesDone, long? BytesTotal, JobImageDocument? Image);

/// <summary>The image of one disk.</summary>
internal sealed record JobImageDocument(
    string? Id, string? Store, string? Location, string? Format, long? SizeBytes, DigestDocument? Digest);

/// <summary>A digest: <c>sha256</c> and lower-case hexadecimal.</summary>
internal sealed record DigestDocument(string? Algorithm, string? Value)
{
    public override string ToString() => $"{Algorithm}:{Value}";
}

/// <summary>Why a job failed.</summary>
internal sealed record JobErrorDocument(string? Code, string? Message, string? Step);

/// <summary>One line of a job's step log.</summary>
internal sealed record EventDocument(
    long? Sequence, DateTimeOffset? At, string? Kind, string? Step, string? Message, long? DurationMs);

/// <summary>Body of <c>POST /servers/{server}/snapshots</c>; what is null is not sent, so that the service's defaults hold.</summary>
internal sealed record SnapshotBody(string Name)
{
    public string? Mode { get; init; }

    public string? Format { get; init; }

    public string? Compression { get; init; }

    public int? CompressionLevel { get; init; }

    public string? Sparsify { get; init; }

    /// <summary><c>"root"</c>, <c>"all"</c>, or an array of targets.</summary>
    public JsonNode? Disks { get; init; }

    public string? Quiesce { get; init; }

    public string? Store { get; init; }

    public IReadOnlyDictionary<string, string>? Metadata { get; init; }

    public bool? InternalSnapshot { get; init; }

    public bool? BlockRebase { get; init; }

    public long? BandwidthBytesPerSecond { get; init; }

    public int? DeadlineSeconds { get; init; }
}
