using Microsoft.Win32.SafeHandles;
using SnapshotApi.Errors;
using SnapshotApi.Hypervisor;
using SnapshotApi.Linux;

namespace SnapshotApi.Captures;

/// <summary>
/// QEMU's own lock on the file of a layer: a shared lock on a byte says "I do this" (100 and up) or "others must not do this" (200 and up).
/// While it is held no QEMU gets to write: a guest that is started fails with <c>Failed to get "write" lock</c>, on every host that shares
/// the file system's locks.
/// See raw_apply_lock_bytes and raw_check_lock_bytes in https://gitlab.com/qemu-project/qemu/-/blob/v7.2.0/block/file-posix.c
/// </summary>
internal sealed class ImageLock : IDisposable
{
    private const int RAW_LOCK_PERM_BASE = 100;
    private const int RAW_LOCK_SHARED_BASE = 200;

    // Bits of BLK_PERM_CONSISTENT_READ, BLK_PERM_WRITE, BLK_PERM_RESIZE.
    private const int ConsistentRead = 0;
    private const int Write = 1;
    private const int Resize = 3;

    private static readonly long[] Bytes = [RAW_LOCK_PERM_BASE + ConsistentRead, RAW_LOCK_SHARED_BASE + Write, RAW_LOCK_SHARED_BASE + Resize];

    private readonly SafeFileHandle _file;

    private ImageLock(SafeFileHandle file) => _file = file;

    /// <summary>Takes the lock on an open layer; where the file system has no locks, nothing happens.</summary>
    /// <param name="file">Open for reading; stays the caller's, and open for as long as the lock.</param>
    /// <param name="disk">Named in the error.</param>
    /// <exception cref="SnapshotException">state_conflict: somebody writes, or will have nobody read.</exception>
    public static ImageLock Take(SafeFileHandle file, DiskDescription disk)
    {
        var held = new ImageLock(file);
        try
        {
            if (Bytes.Any(b => ByteLock.TryShare(file, b) == false) || HasWriter(file))
            {
                throw new SnapshotException(SnapshotErrorCode.StateConflict, $"disk {disk.Target} is open for writing elsewhere");
            }

            return held;
        }
        catch
        {
            held.Dispose();
            throw;
        }
    }

    /// <summary>Somebody who takes QEMU's locks writes, resizes, or will not have it read.</summary>
    public static bool HasWriter(SafeFileHandle file) =>
        ByteLock.IsHeldElsewhere(file, RAW_LOCK_PERM_BASE + Write)
        || ByteLock.IsHeldElsewhere(file, RAW_LOCK_PERM_BASE + Resize)
        || ByteLock.IsHeldElsewhere(file, RAW_LOCK_SHARED_BASE + ConsistentRead);

    /// <summary>Gives it back.</summary>
    public void Dispose()
    {
        // By name, not by closing: a child that is being started has a copy of the descriptor until it runs its program.
        foreach (long offset in Bytes)
        {
            ByteLock.Release(_file, offset);
        }
    }
}
