namespace SnapshotApi.Images;

/// <summary>
/// A copy failed, and which side was the first to fail. The message names no host path; the inner exception is the first
/// cause (an <c>NbdException</c> of the source, or whatever the sink threw).
/// </summary>
internal sealed class ImageCopyException(CopySide side, string message, Exception? inner = null) : Exception(message, inner)
{
    public CopySide Side { get; } = side;
}
