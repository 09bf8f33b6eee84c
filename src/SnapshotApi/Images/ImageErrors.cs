using System.Runtime.InteropServices;
using SnapshotApi.Host;
using SnapshotApi.Nbd;

namespace SnapshotApi.Images;

/// <summary>Which end of a copy failed.</summary>
internal enum CopySide
{
    /// <summary>Reading the disk.</summary>
    Source,

    /// <summary>Writing the image.</summary>
    Destination,
}

/// <summary>
/// A copy failed, and which side was the first to fail. The message names no host path; the inner exception is the
/// first cause (an <c>NbdException</c> of the source, or whatever the sink threw).
/// </summary>
internal sealed class ImageCopyException(CopySide side, string message, Exception? inner = null)
    : Exception(message, inner)
{
    public CopySide Side { get; } = side;
}

/// <summary>No byte moved for the stall limit, and which side was waited for.</summary>
internal sealed class ImageStalledException(CopySide side, TimeSpan limit)
    : TimeoutException($"{Doing(side)} stood still for {limit.TotalSeconds:0.###} s")
{
    public CopySide Side { get; } = side;

    private static string Doing(CopySide side) => side == CopySide.Source ? "reading the disk" : "writing the image";
}

/// <summary>An image is not what it should be, or its header is hostile. The message names no host path.</summary>
internal sealed class ImageRejectedException(string message) : Exception(message);

/// <summary>Turns a failure of an image into the job's error, with the disk and the side that failed.</summary>
internal static class ImageErrors
{
    /// <summary>A failure of libnbd. Its own message may hold the socket's path.</summary>
    public static ImageCopyException From(NbdException exception, string doing)
    {
        string reason = exception.Errno == 0
            ? "the NBD server broke the protocol"
            : Marshal.GetPInvokeErrorMessage(exception.Errno);
        return new ImageCopyException(CopySide.Source, $"{doing} failed: {reason}", exception);
    }

    /// <summary>Runs a piece of work on one disk's image.</summary>
    /// <param name="target">The disk.</param>
    /// <param name="work">What to run.</param>
    /// <exception cref="SnapshotException">
    /// copy_source_failed, copy_destination_failed, image_rejected, no_space, timed_out; or what the work threw.
    /// </exception>
    public static async Task<T> TranslateAsync<T>(string target, Func<Task<T>> work)
    {
        try
        {
            return await work().ConfigureAwait(false);
        }
        catch (ImageCopyException e)
        {
            throw e.InnerException as SnapshotException
                ?? new SnapshotException(CodeOf(e), $"disk {target}: {e.Message}", e);
        }
        catch (ImageStalledException e)
        {
            throw new SnapshotException(SnapshotErrorCode.TimedOut, $"disk {target}: {e.Message}", e);
        }
        catch (ImageRejectedException e)
        {
            throw new SnapshotException(SnapshotErrorCode.ImageRejected, $"disk {target}: {e.Message}", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw StorageErrors.Translate(
                e,
                "a file system of the node",
                $"disk {target}: a file of the node can't be read or written",
                SnapshotErrorCode.CopyDestinationFailed);
        }
    }

    private static SnapshotErrorCode CodeOf(ImageCopyException e) =>
        e.Side == CopySide.Source ? SnapshotErrorCode.CopySourceFailed
        : e.InnerException is { } cause && StorageErrors.IsFull(cause) ? SnapshotErrorCode.NoSpace
        : SnapshotErrorCode.CopyDestinationFailed;
}
