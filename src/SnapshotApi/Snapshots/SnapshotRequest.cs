using System.Text.Json.Serialization;
using SnapshotApi.Captures;
using SnapshotApi.Images;
using SnapshotApi.Journal;

namespace SnapshotApi.Snapshots;

/// <summary>A validated request to snapshot one server; stored with the job as JSON.</summary>
/// <param name="Name">Name of the image, 1 to 255 characters.</param>
internal sealed record SnapshotRequest(string Name)
{
    /// <summary>The capture asked for.</summary>
    public SnapshotMode Mode { get; init; } = SnapshotMode.Auto;

    /// <summary>
    /// Format of the images; null: qcow2 if compressed, else the node's default, else what suits the disk.
    /// </summary>
    public ImageFormat? Format { get; init; }

    /// <summary>Compression of the images.</summary>
    public Compression Compression { get; init; } = Compression.None;

    /// <summary>Level of the compression; null: the default of its kind.</summary>
    public int? CompressionLevel { get; init; }

    /// <summary><c>root</c>, <c>all</c>, or targets such as <c>vda</c>.</summary>
    public IReadOnlyList<string> Disks { get; init; } = ["root"];

    /// <summary>Whether to freeze the guest's file systems at the instant.</summary>
    public QuiesceMode Quiesce { get; init; } = QuiesceMode.Auto;

    /// <summary>Name of the store; null: the node's default.</summary>
    public string? Store { get; init; }

    /// <summary>The user's properties for the image.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; init; } = new Dictionary<string, string>();

    /// <summary>Whether to look for allocated zeros.</summary>
    public Sparsify Sparsify { get; init; } = Sparsify.Auto;

    /// <summary>Cold only: take an internal qcow2 snapshot, as Nova's Folsom driver did.</summary>
    public bool InternalSnapshot { get; init; }

    /// <summary>Mirror only: use blockRebase with undefine and define instead of blockCopy.</summary>
    public bool BlockRebase { get; init; }

    /// <summary>Limit for reading the disks, in bytes a second; null: none.</summary>
    public long? BandwidthBytesPerSecond { get; init; }

    /// <summary>Seconds from the start of the job after which it fails; null: none.</summary>
    public int? DeadlineSeconds { get; init; }

    /// <summary>The record that waits for the image; null: one is made with the upload.</summary>
    public ReservedImage? Reserved { get; init; }

    /// <summary>What this version does not know of a request that a newer one has accepted; null: nothing.</summary>
    public string? FindUnknown() =>
        !Mode.IsKnown() ? $"mode {Mode.ToSnakeCase()}"
        : Format is { } format && !format.IsKnown() ? $"format {format.ToSnakeCase()}"
        : !Compression.IsKnown() ? $"compression {Compression.ToSnakeCase()}"
        : !Quiesce.IsKnown() ? $"quiesce {Quiesce.ToSnakeCase()}"
        : !Sparsify.IsKnown() ? $"sparsify {Sparsify.ToSnakeCase()}"
        : null;
}

/// <summary>The capture that the user asks for.</summary>
[JsonConverter(typeof(SnakeCaseEnumConverter<SnapshotMode>))]
internal enum SnapshotMode
{
    /// <summary>Backup, else mirror, else cold; a stopped server is always cold.</summary>
    Auto,

    /// <summary>Backup, else mirror.</summary>
    Live,

    /// <summary>Cold, whatever the node can do.</summary>
    Cold,

    /// <summary>Live copy by a block job.</summary>
    Mirror,

    /// <summary>libvirt's backup job.</summary>
    Backup,
}

/// <summary>One run of one job, as the pipeline sees it.</summary>
/// <param name="JobId">Id of the job.</param>
/// <param name="ServerId">UUID of the server.</param>
/// <param name="Attempt">1 for the first run.</param>
/// <param name="Request">What the user asked for.</param>
/// <param name="Bandwidth">The job's limit for reading its disks; its user may change it while it runs.</param>
internal sealed record SnapshotWork(
    Guid JobId, Guid ServerId, int Attempt, SnapshotRequest Request, BandwidthLimit Bandwidth);

/// <summary>What the parts of one run share.</summary>
/// <param name="Work">What is to be done.</param>
/// <param name="Journal">Gets what is to be undone.</param>
/// <param name="Observer">Gets what happens.</param>
/// <param name="Progress">Turns what captures and images report into the observer's.</param>
internal sealed record SnapshotRun(
    SnapshotWork Work, JobJournal Journal, ISnapshotObserver Observer, SnapshotProgress Progress);
