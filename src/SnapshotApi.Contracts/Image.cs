namespace SnapshotApi.Contracts;

/// <summary>A published image of one disk.</summary>
/// <param name="Id">Id of the image.</param>
/// <param name="Name">Name that its job gave it.</param>
/// <param name="Store">Name of the store that holds it.</param>
/// <param name="Location">Where it is within its store.</param>
/// <param name="Format">Format of the file.</param>
/// <param name="SizeBytes">Length of the file.</param>
/// <param name="VirtualSizeBytes">Size of the disk in it.</param>
/// <param name="Digest">Digest of the file's bytes.</param>
/// <param name="Server">The server whose disk it is.</param>
/// <param name="Node">Node whose store holds it.</param>
/// <param name="Target">Device name of the disk, for example <c>vda</c>.</param>
/// <param name="JobId">The job that made it.</param>
/// <param name="Properties">Its metadata: Nova's properties, the user's, and how it was captured.</param>
/// <param name="CreatedAt">When it was published.</param>
/// <param name="Links">Related addresses.</param>
public sealed record Image(
    Guid Id,
    string Name,
    string Store,
    string Location,
    string Format,
    long SizeBytes,
    long VirtualSizeBytes,
    ImageDigest Digest,
    ServerReference Server,
    string Node,
    string Target,
    Guid JobId,
    IReadOnlyDictionary<string, string> Properties,
    DateTimeOffset CreatedAt,
    ImageLinks Links);

/// <summary>Digest of an image file.</summary>
/// <param name="Algorithm">Lower-case name, for example <c>sha256</c>.</param>
/// <param name="Value">Lower-case hexadecimal.</param>
public sealed record ImageDigest(string Algorithm, string Value)
{
    /// <summary>For example <c>sha256:9f86...</c>; in quotes it is the ETag of the file.</summary>
    public override string ToString() => $"{Algorithm}:{Value}";
}

/// <summary>Addresses related to an image.</summary>
/// <param name="Self">The image.</param>
/// <param name="File">Its bytes, with ranges.</param>
/// <param name="Job">The job that made it.</param>
public sealed record ImageLinks(string Self, string File, string Job);
