using SnapshotApi.Images;

namespace SnapshotApi.Snapshots;

/// <summary>An image that its store can take as it is. Disposing takes away what was made for that, not the measured image.</summary>
/// <param name="Image">A stream, or an image that is written into the store's own file.</param>
/// <param name="Spooled">The file that the stream is read from, if there is one.</param>
internal sealed record PreparedImage(IDiskImage Image, SpooledImage? Spooled = null) : IAsyncDisposable
{
    public ValueTask DisposeAsync() => Spooled?.DisposeAsync() ?? ValueTask.CompletedTask;
}
