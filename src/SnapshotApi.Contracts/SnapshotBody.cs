using System.Text.Json;

namespace SnapshotApi.Contracts;

/// <summary>
/// What to snapshot, and how. Only <c>name</c> is required; null is the same as leaving a member out. Unknown members
/// are errors.
/// </summary>
/// <remarks>The service reads the body without this type, to report every wrong member at once.</remarks>
public sealed record SnapshotBody
{
    /// <summary>Name of the image: 1 to 255 characters, no control characters. It never becomes a path.</summary>
    public required string Name { get; init; }

    /// <summary>
    /// The capture. <c>auto</c> takes <c>backup</c>, else <c>mirror</c>, else <c>cold</c>; <c>live</c> takes
    /// <c>backup</c> or <c>mirror</c>. A server that is shut off is always captured cold.
    /// </summary>
    public string? Mode { get; init; }

    /// <summary>
    /// Format of the images. Without it qcow2 if <c>compression</c> is asked for, else what the node is configured for,
    /// else qcow2, or raw for a block device.
    /// </summary>
    public string? Format { get; init; }

    /// <summary>Compression of the images; needs format <c>qcow2</c>. Without it <c>none</c>.</summary>
    public string? Compression { get; init; }

    /// <summary>
    /// Level of the compression: <c>zstd</c> 1 to 19, <c>zlib</c> 1 to 9. Without it 3 and 6; higher is smaller and
    /// slower.
    /// </summary>
    public int? CompressionLevel { get; init; }

    /// <summary>
    /// Whether to look for allocated zeros and leave them out. Without it <c>auto</c>: if more than a quarter of a
    /// random sample is zero. With <c>compression</c> they are always left out.
    /// </summary>
    public string? Sparsify { get; init; }

    /// <summary>
    /// The text <c>root</c> for the boot disk or <c>all</c>, or a list of 1 to 64 different targets such as <c>vda</c>.
    /// All disks have one instant.
    /// </summary>
    public JsonElement? Disks { get; init; }

    /// <summary>Whether the guest agent freezes the file systems at the instant of a live capture.</summary>
    public string? Quiesce { get; init; }

    /// <summary>Name of the store. Without it the service's default.</summary>
    public string? Store { get; init; }

    /// <summary>
    /// Properties for the image: at most 128, keys of 1 to 255 and values of up to 255 characters, 32 KiB in all.
    /// </summary>
    public IReadOnlyDictionary<string, string>? Metadata { get; init; }

    /// <summary>Take an internal qcow2 snapshot, as Nova's first libvirt driver did; needs mode <c>cold</c>.</summary>
    public bool? InternalSnapshot { get; init; }

    /// <summary>
    /// Use blockRebase with undefine and define instead of blockCopy; needs mode <c>mirror</c>, <c>live</c> or
    /// <c>auto</c>.
    /// </summary>
    public bool? BlockRebase { get; init; }

    /// <summary>
    /// Limit for reading the disks, in bytes a second, from 64 KiB to 1 TiB. Without it there is no limit.
    /// </summary>
    public long? BandwidthBytesPerSecond { get; init; }

    /// <summary>
    /// Seconds after the start of the job at which it fails, from 1 to 604800. Without it there is no deadline.
    /// </summary>
    public int? DeadlineSeconds { get; init; }
}
