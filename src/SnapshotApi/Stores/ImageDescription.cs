using SnapshotApi.Images;

namespace SnapshotApi.Stores;

/// <summary>What a store is told of an image before its first byte.</summary>
/// <param name="Id">Id that we choose; the image's id in the API.</param>
/// <param name="Name">Name given by the user; never a path.</param>
/// <param name="Format">Format of the file.</param>
/// <param name="LengthBytes">Exact length of the file; of one that does not come in order, what is expected.</param>
/// <param name="VirtualSizeBytes">Size of the disk in it.</param>
/// <param name="Properties">Nova's properties, the user's metadata and ours, flat.</param>
internal sealed record ImageDescription(
    Guid Id,
    string Name,
    ImageFormat Format,
    long LengthBytes,
    long VirtualSizeBytes,
    IReadOnlyDictionary<string, string> Properties)
{
    /// <summary>The store has a record of that id already, which waits for the file; whoever made it takes it away when it gets none.</summary>
    public bool IsReserved { get; init; }

    /// <summary>Percent of the work on the disk that was done before the first byte is sent; for a record that shows progress.</summary>
    public int PercentBefore { get; init; }
}
