using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using SnapshotApi.Libvirt.Interop;

namespace SnapshotApi.Libvirt;

/// <summary>
/// libvirt's event loop: one for the process, on a background thread that ends with the process. It must be registered
/// before the first connection is opened, and carries events, keepalive probes and close notices. Handlers run on its
/// thread: they return quickly and make no libvirt call.
/// See https://libvirt.org/html/libvirt-libvirt-event.html#virEventRegisterDefaultImpl
/// </summary>
public static unsafe class LibvirtEventLoop
{
    // A timer ends the wait of virEventRunDefaultImpl. Smaller: more wake-ups.
    private const int IdleWakeUpMilliseconds = 1000;

    // So that a broken loop does not take a whole CPU.
    private static readonly TimeSpan FailurePause = TimeSpan.FromSeconds(1);

    private static readonly Lock Gate = new();
    private static bool _started;

    /// <summary>A handler threw. Raised on the loop's thread; unheard, it goes to <see cref="Trace"/>.</summary>
    public static event Action<Exception>? EventHandlerFailed;

    /// <summary>Starts the loop, once, and keeps libvirt from writing its errors to stderr.</summary>
    /// <exception cref="LibvirtException">libvirt could not be initialised.</exception>
    /// <exception cref="DllNotFoundException">The client library is not installed.</exception>
    public static void EnsureStarted()
    {
        lock (Gate)
        {
            if (_started)
            {
                return;
            }

            NativeCheck.NotNegative(NativeMethods.virInitialize());
            NativeMethods.virSetErrorFunc(null, &IgnoreError);
            NativeCheck.NotNegative(NativeMethods.virEventRegisterDefaultImpl());
            NativeCheck.NotNegative(NativeMethods.virEventAddTimeout(IdleWakeUpMilliseconds, &WakeUp, null, null));

            new Thread(Run) { IsBackground = true, Name = "libvirt events" }.Start();
            _started = true;
        }
    }

    internal static void ReportHandlerFailure(Exception exception)
    {
        Action<Exception>? listeners = EventHandlerFailed;
        if (listeners is null)
        {
            Trace.TraceError("A libvirt event handler failed: {0}", exception);
            return;
        }

        try
        {
            listeners(exception);
        }
#pragma warning disable CA1031 // The caller is native code: an exception here would end the process.
        catch (Exception reportFailure)
#pragma warning restore CA1031
        {
            Trace.TraceError("Reporting a failed libvirt event handler failed: {0}", reportFailure);
        }
    }

    private static void Run()
    {
        using ManualResetEventSlim never = new();
        while (true)
        {
            if (NativeMethods.virEventRunDefaultImpl() < 0)
            {
                ReportHandlerFailure(NativeCheck.LastError(nameof(NativeMethods.virEventRunDefaultImpl)));
                never.Wait(FailurePause);
            }
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void IgnoreError(void* userData, virError* error)
    {
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void WakeUp(int timer, void* opaque)
    {
    }
}
