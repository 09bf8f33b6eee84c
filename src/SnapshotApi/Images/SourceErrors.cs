using System.Runtime.InteropServices;
using SnapshotApi.Nbd;

namespace SnapshotApi.Images;

/// <summary>Says what went wrong on the source side in words that hold no host path: libnbd's message may hold the socket's.</summary>
internal static class SourceErrors
{
    public static ImageCopyException From(NbdException exception, string doing)
    {
        string reason = exception.Errno == 0 ? "the NBD server broke the protocol" : Marshal.GetPInvokeErrorMessage(exception.Errno);
        return new ImageCopyException(CopySide.Source, $"{doing} failed: {reason}", exception);
    }
}
