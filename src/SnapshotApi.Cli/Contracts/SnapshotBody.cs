using System.Text.Json.Nodes;

namespace SnapshotApi.Cli.Contracts;

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
