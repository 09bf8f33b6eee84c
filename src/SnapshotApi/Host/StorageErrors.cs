using System.ComponentModel;
using static SnapshotApi.Linux.Errno;

namespace SnapshotApi.Host;

/// <summary>The one place where an error number of the host's file systems becomes an error of ours.</summary>
internal static class StorageErrors
{
    /// <summary>It comes from a file system, not from a mistake of ours.</summary>
    public static bool IsOne(Exception e) => e is IOException or UnauthorizedAccessException || IsTooLarge(e);

    /// <summary>There is no space left, or no quota.</summary>
    public static bool IsFull(Exception e) => NumberOf(e) is ENOSPC or EDQUOT;

    /// <summary>The error to report.</summary>
    /// <param name="e"><see cref="IsOne"/> knows it.</param>
    /// <param name="place">Where it happened, in words: <c>the directory store</c>.</param>
    /// <param name="what">What could not be done: <c>the image can't be published in the directory store</c>.</param>
    /// <param name="code">Unless there is no space.</param>
    public static SnapshotException Translate(Exception e, string place, string what, SnapshotErrorCode code) => new(
        IsFull(e) ? SnapshotErrorCode.NoSpace : code,
        NumberOf(e) switch
        {
            ENOSPC => $"{place} is full",
            EDQUOT => $"{place} is full: its quota is used up",
            EFBIG => $"{what}: no file may be so large there",
            EROFS => $"{what}: its file system is read-only",
            EACCES or EPERM => $"{what}: permission denied",
            EIO => $"{what}: input/output error",
            ESTALE => $"{what}: its file server does not know the file any more",
            _ => what,
        },
        e);

    /// <summary>Runs something that touches files.</summary>
    /// <exception cref="SnapshotException">See <see cref="Translate"/>.</exception>
    public static T Guard<T>(string place, string what, SnapshotErrorCode code, Func<T> action)
    {
        try
        {
            return action();
        }
        catch (Exception e) when (IsOne(e))
        {
            throw Translate(e, place, what, code);
        }
    }

    /// <summary>errno(3) of what <see cref="IsOne"/> knows.</summary>
    public static int NumberOf(Exception e) => IsTooLarge(e)
        ? EFBIG
        : e switch
        {
            { InnerException: Win32Exception native } => native.NativeErrorCode,
            UnauthorizedAccessException { InnerException: IOException inner } => inner.HResult,
            UnauthorizedAccessException => EACCES,
            FileNotFoundException or DirectoryNotFoundException => ENOENT,
            PathTooLongException => ENAMETOOLONG,
            _ => e.HResult,
        };

    // .NET's word for EFBIG.
    private static bool IsTooLarge(Exception e) => e is ArgumentOutOfRangeException { ParamName: "value" };
}
