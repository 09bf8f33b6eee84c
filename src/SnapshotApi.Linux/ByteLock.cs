using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace SnapshotApi.Linux;

/// <summary>Locks on single bytes that belong to the open file, not to the process (F_OFD_SETLK).</summary>
public static class ByteLock
{
    /// <summary>Takes a lock that others may share, without waiting.</summary>
    /// <returns>True: held. False: somebody has the byte exclusively. Null: the file system has no locks.</returns>
    public static bool? TryShare(SafeFileHandle file, long offset)
    {
        if (Set(file, NativeMethods.F_RDLCK, offset) == 0)
        {
            return true;
        }

        // Anything else (ENOLCK, EOPNOTSUPP, EINVAL, EIO of a lock server): no locks here.
        return Marshal.GetLastPInvokeError() is Errno.EAGAIN or Errno.EACCES ? false : null;
    }

    /// <summary>Somebody else has a lock on the byte, shared or not; false also where there are no locks.</summary>
    public static bool IsHeldElsewhere(SafeFileHandle file, long offset)
    {
        var range = new flock_range { l_type = NativeMethods.F_WRLCK, l_start = offset, l_len = 1 };
        return NativeMethods.FCntl(file, NativeMethods.F_OFD_GETLK, ref range) == 0
            && range.l_type != NativeMethods.F_UNLCK;
    }

    /// <summary>Gives back a lock of this open file, if it has one.</summary>
    public static void Release(SafeFileHandle file, long offset) => _ = Set(file, NativeMethods.F_UNLCK, offset);

    private static int Set(SafeFileHandle file, short type, long offset)
    {
        var range = new flock_range { l_type = type, l_start = offset, l_len = 1 };
        return NativeMethods.FCntl(file, NativeMethods.F_OFD_SETLK, ref range);
    }
}
