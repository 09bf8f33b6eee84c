using SnapshotApi.Api.Mapping;
using SnapshotApi.Captures;
using SnapshotApi.Contracts;
using SnapshotApi.Images;
using SnapshotApi.Persistence;
using SnapshotApi.Snapshots;
using SnapshotApi.Stores;

namespace SnapshotApi.Api.OpenApi;

/// <summary>
/// Examples of the API's description. The code that answers requests makes jobs of rows, so that they can't be wrong.
/// </summary>
internal static class Examples
{
    /// <summary>Id of the example's job.</summary>
    public static readonly Guid JobId = Guid.Parse("0198f6c2-5a01-7c44-b1de-7d0c5a9e1f02");

    /// <summary>Addresses of examples.</summary>
    public static readonly Links Links = new(root: "");

    private static readonly Guid ServerId = Guid.Parse("6f1c2a9e-0d5b-4c1e-9a57-0f2a4d3b7c11");
    private static readonly DateTimeOffset Start = new(2026, 3, 14, 9, 26, 53, TimeSpan.Zero);

    private static readonly StoredImage Stored = new(
        Guid.Parse("b7d1f3aa-52f0-4c6f-8a55-3b8f5d6e7a90"),
        "directory",
        "b7d1f3aa-52f0-4c6f-8a55-3b8f5d6e7a90.qcow2",
        ImageFormat.Qcow2,
        1_611_137_024,
        new Digest("sha256", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"));

    private static readonly JobRecord Accepted = new()
    {
        Id = JobId,
        ServerId = ServerId,
        ServerName = "fed18",
        Node = "kvm1",
        Request = new SnapshotRequest("snap1"),
        Status = JobStatus.Queued,
        Step = SnapshotStep.Pending,
        Version = 1,
        CreatedAt = Start,
    };

    private static readonly JobRecord Uploading = Accepted with
    {
        Status = JobStatus.Running,
        Step = SnapshotStep.Uploading,
        Capture = CaptureKind.Backup,
        CaptureReason = "QEMU 7.2 and libvirt 9.0 can export the disk while the guest runs",
        Disks = [new JobDisk("vda", 21_474_836_480, 1_610_612_736, 671_088_640, null)],
        BytesPerSecond = 268_435_456,
        Consistency = Consistency.Application,
        GuestDowntimeMs = 0,
        Downtime = null,
        FreezeMs = 41,
        FrozenFileSystems = 2,
        Attempts = 1,
        Version = 9,
        StartedAt = Start.AddMilliseconds(120),
    };

    /// <summary>A job that waits.</summary>
    public static Job Queued => Accepted.ToContract(Links);

    /// <summary>A job that runs.</summary>
    public static Job Running => Uploading.ToContract(Links);

    /// <summary>A job whose limit was changed.</summary>
    public static Job Limited => (Uploading with
    {
        Request = Uploading.Request with { BandwidthBytesPerSecond = 10_485_760 },
        Version = 10,
    }).ToContract(Links);

    /// <summary>A job that made its image.</summary>
    public static Job Succeeded => (Uploading with
    {
        Status = JobStatus.Succeeded,
        Step = SnapshotStep.Finished,
        Disks = [new JobDisk("vda", 21_474_836_480, 1_610_612_736, 1_610_612_736, Stored)],
        Version = 17,
        FinishedAt = Start.AddSeconds(7),
    }).ToContract(Links);

    /// <summary>A job that failed.</summary>
    public static Job Failed => (Uploading with
    {
        Status = JobStatus.Failed,
        Step = SnapshotStep.Finished,
        Error = new JobError(SnapshotErrorCode.NoSpace, "the directory store is full", SnapshotStep.Uploading),
        Version = 15,
        FinishedAt = Start.AddSeconds(5),
    }).ToContract(Links);

    /// <summary>Bodies of a snapshot request.</summary>
    public static IReadOnlyList<(string Name, string Summary, string Json)> Requests { get; } =
    [
        ("minimal", "The boot disk, captured in the best way there is", """{"name":"snap1"}"""),
        (
            "consistent",
            "All disks of a running server at one instant, with its file systems frozen",
            """{"name":"nightly","mode":"live","disks":"all","quiesce":"required","metadata":{"team":"storage"}}"""),
        (
            "gentle",
            "One disk as a raw image, read slowly, for an hour at most",
            """
            {"name":"data","format":"raw","disks":["vdb"],"bandwidthBytesPerSecond":52428800,"deadlineSeconds":3600}
            """),
        (
            "folsom",
            "As Nova's first libvirt driver did it: save, internal snapshot, restart",
            """{"name":"classic","mode":"cold","internalSnapshot":true}"""),
    ];

    /// <summary>Wrong fields.</summary>
    public static IReadOnlyDictionary<string, IReadOnlyList<string>> Errors { get; } =
        new Dictionary<string, IReadOnlyList<string>>
        {
            ["mode"] = ["must be one of auto, live, cold, mirror, backup"],
            ["name"] = ["is required"],
        };

    /// <summary>Servers of one name.</summary>
    public static IReadOnlyList<Guid> ServerIds { get; } =
        [ServerId, Guid.Parse("c2a7b0de-7f8e-4a0b-9a53-2f1d5e9b6c33")];

    /// <summary>What a problem document of a kind may say.</summary>
    public static string DetailOf(string code) => code switch
    {
        "invalid_request" => "2 fields are wrong: mode, name",
        "server_not_found" => "no node runs a server of that UUID or name",
        "job_not_found" => "no job has the id 0198f6c2-5a01-7c44-b1de-7d0c5a9e1f02",
        "image_not_found" => "no image has the id b7d1f3aa-52f0-4c6f-8a55-3b8f5d6e7a90",
        "node_not_found" => "there is no node kvm7",
        "server_ambiguous" => "2 servers have that name",
        "server_busy" => "a snapshot job runs on the server",
        "state_conflict" => "the job has already succeeded",
        "image_not_local" => "the file of image b7d1f3aa-52f0-4c6f-8a55-3b8f5d6e7a90 is on node kvm2; ask there",
        "unsupported_disk" => "disk vdb is shareable: another server may write to it",
        "unsupported_request" => "mode backup needs QEMU 4.2 and libvirt 6.0; the node has QEMU 2.12 and libvirt 4.5",
        "idempotency_mismatch" => "the Idempotency-Key was used before with another request",
        "hypervisor_unavailable" => "libvirt on node kvm1, which runs the server, does not answer",
        "database_unavailable" => "the database does not answer",
        "store_failed" => "the image's file can't be read",
        "identity_unavailable" => "the provider of tokens does not answer",
        "unauthorized" => "the key or token is not valid",
        "forbidden" => "this needs the role operator",
        "rate_limited" => "more snapshots were asked for than one caller may ask for; nothing was done",
        "not_acceptable" => "the answer is application/json",
        "payload_too_large" => "the body must have at most 65536 bytes",
        "unsupported_media_type" => "the body must be application/json",
        "range_not_satisfiable" => "the range lies outside of the file",
        _ => "something unexpected happened; the log has it under the traceId",
    };
}
