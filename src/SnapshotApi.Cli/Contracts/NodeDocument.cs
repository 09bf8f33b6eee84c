namespace SnapshotApi.Cli.Contracts;

/// <summary>A node as <c>GET /nodes</c> lists it.</summary>
internal sealed record NodeDocument
{
    public string? Name { get; init; }

    public bool? IsConnected { get; init; }

    public NodeCapabilitiesDocument? Capabilities { get; init; }

    public string? ServiceVersion { get; init; }

    public long? WorkFreeBytes { get; init; }

    public long? StoreFreeBytes { get; init; }

    public int? MaxJobs { get; init; }

    public int? RunningJobs { get; init; }

    public IReadOnlyList<string>? Problems { get; init; }

    public DateTimeOffset? SeenAt { get; init; }
}

/// <summary>What the libvirt and QEMU of a node can do.</summary>
internal sealed record NodeCapabilitiesDocument(
    string? Driver, string? LibvirtVersion, string? HypervisorVersion, IReadOnlyList<string>? Captures);
