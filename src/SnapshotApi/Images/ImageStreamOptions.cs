namespace SnapshotApi.Images;

/// <summary>How a disk is read. The defaults are measured; see the benchmarks.</summary>
internal sealed record ImageStreamOptions
{
    /// <value>NBD connections, each with a thread of its own; null (default) = 4 if the server allows several, else 1.</value>
    public int? Connections { get; init; }

    /// <value>
    /// Longest single read, a multiple of the cluster (64 KiB); default 256 KiB, about what a unix socket buffers: with four
    /// connections qemu-nbd 7.2 gave half the speed for twice the processor time at 512 KiB, and a third at 1 MiB. Smaller
    /// than 128 KiB the round trips count.
    /// </value>
    public int RequestSizeBytes { get; init; } = 256 * 1024;

    /// <value>
    /// Memory for bytes read and not yet written; default 8 MiB, two batches for each of four connections, so that four captures at
    /// once stay well below the service's 250 MiB. Into a sink that never waits it was as fast as 16 MiB, and 32 MiB no faster.
    /// </value>
    public int MaxBuffersBytes { get; init; } = 8 * 1024 * 1024;

    /// <value>Limit on the disk bytes read per second; may be shared by several streams and changed while they run. Null = none.</value>
    public BandwidthLimit? Bandwidth { get; init; }

    /// <value>
    /// What a tool that reads the disk by itself may read, in bytes a second, asked once, when it begins: it knows no limit that is shared. Null
    /// from it = no limit.
    /// </value>
    public Func<long?> ToolBytesPerSecond { get; init; } = static () => null;

    /// <value>After how long without a byte moved a side counts as stalled; default 60 s.</value>
    public TimeSpan StallTimeout { get; init; } = TimeSpan.FromSeconds(60);

    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;
}
