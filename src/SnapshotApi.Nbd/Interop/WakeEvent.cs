using System.ComponentModel;
using System.Runtime.InteropServices;

namespace SnapshotApi.Nbd.Interop;

/// <summary>
/// An eventfd that interrupts a <c>poll</c>: libnbd 1.14 has no <c>nbd_poll2</c>, so the binding polls the socket and
/// this descriptor itself. <see cref="Signal"/> may be called from any thread, the rest only by the polling thread.
/// </summary>
internal sealed unsafe class WakeEvent() : SafeHandle(-1, ownsHandle: true)
{
    public override bool IsInvalid => handle < 0;

    /// <summary>For <c>poll</c>; valid while the owner keeps this object.</summary>
    internal int Descriptor => (int)handle;

    /// <exception cref="Win32Exception">The process has no descriptor left.</exception>
    internal static WakeEvent Create()
    {
        WakeEvent created = LibC.eventfd(0, LibC.EFD_CLOEXEC | LibC.EFD_NONBLOCK);
        if (created.IsInvalid)
        {
            var error = new Win32Exception(Marshal.GetLastPInvokeError());
            created.Dispose();
            throw error;
        }

        return created;
    }

    /// <summary>Wakes the polling thread, now or at its next poll. Does nothing once the event is closed.</summary>
    internal void Signal()
    {
        bool added = false;
        try
        {
            DangerousAddRef(ref added);
            ulong one = 1;
            // It can fail only with EAGAIN: the counter is full, so a wake-up is pending anyway.
            LibC.write(this, &one, sizeof(ulong));
        }
        catch (ObjectDisposedException)
        {
            // The connection was closed: nobody is left to wake.
        }
        finally
        {
            if (added)
            {
                DangerousRelease();
            }
        }
    }

    internal void Drain()
    {
        ulong count;
        LibC.read(this, &count, sizeof(ulong));
    }

    protected override bool ReleaseHandle() => LibC.close((int)handle) == 0;
}
