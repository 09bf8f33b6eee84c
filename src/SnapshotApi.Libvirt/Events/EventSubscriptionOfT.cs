using System.Runtime.InteropServices;

namespace SnapshotApi.Libvirt;

/// <summary>A registration whose handler takes a <typeparamref name="T"/>.</summary>
internal sealed class EventSubscription<T>(Action<T> handler) : EventSubscription
{
    /// <summary>Finds the subscription behind the pointer that libvirt hands to a callback.</summary>
    internal static unsafe EventSubscription<T> From(void* opaque)
        => (EventSubscription<T>)GCHandle.FromIntPtr((nint)opaque).Target!;

    /// <summary>Calls the handler; what it throws is reported, never passed on: the caller is native code.</summary>
    internal void Dispatch(T value)
    {
        try
        {
            handler(value);
        }
#pragma warning disable CA1031 // An exception that crossed into native code would end the process.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            LibvirtEventLoop.ReportHandlerFailure(exception);
        }
    }
}
