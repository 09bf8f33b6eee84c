using SnapshotApi.Images;

namespace SnapshotApi.Snapshots;

/// <summary>A disk view whose image is planned; none of it is sent. The caller disposes it.</summary>
/// <param name="Request">What is to become of it.</param>
/// <param name="Image">The image; disposed with this.</param>
internal sealed record MeasuredImage(ImageUploadRequest Request, IDiskImage Image) : IAsyncDisposable
{
    /// <summary>The disk's name.</summary>
    public string Target => Request.View.Target;

    public ValueTask DisposeAsync() => Image.DisposeAsync();
}
