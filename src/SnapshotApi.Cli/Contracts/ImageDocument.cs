namespace SnapshotApi.Cli.Contracts;

/// <summary>An image as <c>GET /images/{id}</c> answers it.</summary>
internal sealed record ImageDocument
{
    public string? Id { get; init; }

    public string? Name { get; init; }

    public string? Store { get; init; }

    public string? Location { get; init; }

    public string? Format { get; init; }

    public long? SizeBytes { get; init; }

    public long? VirtualSizeBytes { get; init; }

    public DigestDocument? Digest { get; init; }

    public ReferenceDocument? Server { get; init; }

    public string? Node { get; init; }

    public string? Target { get; init; }

    public string? JobId { get; init; }

    public IReadOnlyDictionary<string, string?>? Properties { get; init; }

    public DateTimeOffset? CreatedAt { get; init; }
}
