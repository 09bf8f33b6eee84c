using SnapshotApi.Errors;
using SnapshotApi.Host;
using SnapshotApi.Images;

namespace SnapshotApi.Snapshots;

/// <summary>The one place where what went wrong with an image becomes the job's error, with the disk and the side that failed.</summary>
internal static class ImageErrors
{
    /// <summary>Runs a piece of work on one disk's image.</summary>
    /// <param name="target">The disk.</param>
    /// <param name="work">What to run.</param>
    /// <exception cref="SnapshotException">copy_source_failed, copy_destination_failed, image_rejected, no_space, timed_out; or what the work threw.</exception>
    public static async Task<T> TranslateAsync<T>(string target, Func<Task<T>> work)
    {
        try
        {
            return await work().ConfigureAwait(false);
        }
        catch (ImageCopyException e)
        {
            throw e.InnerException as SnapshotException ?? new SnapshotException(
                e.Side == CopySide.Source ? SnapshotErrorCode.CopySourceFailed : DestinationCode(e),
                $"disk {target}: {e.Message}",
                e);
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
                e, "a file system of the node", $"disk {target}: a file of the node can't be read or written", SnapshotErrorCode.CopyDestinationFailed);
        }
    }

    private static SnapshotErrorCode DestinationCode(ImageCopyException e) =>
        e.InnerException is { } cause && StorageErrors.IsFull(cause) ? SnapshotErrorCode.NoSpace : SnapshotErrorCode.CopyDestinationFailed;
}
