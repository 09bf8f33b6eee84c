using System.Runtime.InteropServices;
using SnapshotApi.Nbd;

namespace SnapshotApi.Images;

/// <summary>
/// A copy failed, and which side was the first to fail. The message names no host path; the inner exception is the first
/// cause (an <c>NbdException</c> of the source, or whatever the sink threw).
/// </summary>
internal sealed class ImageCopyException(CopySide side, string message, Exception? inner = null) : Exception(message, inner)
{
    public CopySide Side { get; } = side;
}

/// <summary>Which end of a copy failed.</summary>
internal enum CopySide
{
    /// <summary>Reading the disk.</summary>
    Source,

    /// <summary>Writing the image.</summary>
    Destination,
}

/// <summary>No byte moved for the stall limit, and which side was waited for.</summary>
internal sealed class ImageStalledException(CopySide side, TimeSpan limit)
    : TimeoutException($"{(side == CopySide.Source ? "reading the disk" : "writing the image")} stood still for {limit.TotalSeconds:0.###} s")
{
    public CopySide Side { get; } = side;
}

/// <summary>An image is not what it should be, or its header is hostile. The message names no host path.</summary>
internal sealed class ImageRejectedException(string message) : Exception(message);

/// <summary>Says what went wrong on the source side in words that hold no host path: libnbd's message may hold the socket's.</summary>
internal static class SourceErrors
{
    public static ImageCopyException From(NbdException exception, string doing)
    {
        string reason = exception.Errno == 0 ? "the NBD server broke the protocol" : Marshal.GetPInvokeErrorMessage(exception.Errno);
        return new ImageCopyException(CopySide.Source, $"{doing} failed: {reason}", exception);
    }
}
