using SnapshotApi.Images;

namespace SnapshotApi.Snapshots;

/// <summary>A disk view whose image is planned: its length is known, none of it is sent. The caller disposes it.</summary>
/// <param name="Request">What is to become of it.</param>
/// <param name="Stream">The image; disposed with this.</param>
internal sealed record MeasuredImage(ImageUploadRequest Request, IImageStream Stream) : IAsyncDisposable
{
    /// <summary>The disk's name.</summary>
    public string Target => Request.View.Target;

    public ValueTask DisposeAsync() => Stream.DisposeAsync();
}
