namespace SnapshotApi.Cli.Contracts;

/// <summary>A server as <c>GET /servers/{server}</c> answers it.</summary>
internal sealed record ServerDocument
{
    public string? Id { get; init; }

    public string? Name { get; init; }

    public string? Node { get; init; }

    public string? PowerState { get; init; }

    public bool? IsPersistent { get; init; }

    public string? Type { get; init; }

    public string? Architecture { get; init; }

    public ServerAgentDocument? Agent { get; init; }

    /// <summary>What libvirt has at work on it.</summary>
    public string? ActiveJob { get; init; }

    public IReadOnlyList<ServerDiskDocument>? Disks { get; init; }

    /// <summary>Why only a part of it is known, or what would keep it from starting again.</summary>
    public string? Problem { get; init; }

    public DateTimeOffset? SeenAt { get; init; }
}

/// <summary>The guest agent of a server.</summary>
internal sealed record ServerAgentDocument(bool? IsDefined, bool? IsConnected);

/// <summary>One drive of a server.</summary>
internal sealed record ServerDiskDocument(
    string? Target,
    string? Device,
    string? SourceType,
    string? Format,
    int? Layers,
    bool? IsReadOnly,
    bool? IsShareable,
    bool? IsTransient,
    bool? IsEncrypted,
    int? BootOrder)
{
    /// <summary>What is special about it, in words.</summary>
    public string Remarks => string.Join(", ", new[]
    {
        IsReadOnly == true ? "read-only" : null,
        IsShareable == true ? "shareable" : null,
        IsTransient == true ? "transient" : null,
        IsEncrypted == true ? "encrypted" : null,
        BootOrder is { } order ? $"boots {order}" : null,
    }.Where(r => r is not null));
}

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
