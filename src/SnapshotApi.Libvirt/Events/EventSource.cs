using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace SnapshotApi.Libvirt;

/// <summary>
/// One registration at a connection, for one kind of event. libvirt holds it by a <see cref="GCHandle"/>, which its
/// free callback releases when no further callback can come, so that a late callback finds its target alive.
/// </summary>
internal abstract unsafe class EventSource
{
    /// <summary>The free callback of every registration.</summary>
    internal static delegate* unmanaged[Cdecl]<void*, void> FreeCallback => &Free;

    /// <summary>What libvirt calls the registration; null: not registered.</summary>
    internal int? CallbackId { get; set; }

    internal abstract void Clear();

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Free(void* opaque) => GCHandle.FromIntPtr((nint)opaque).Free();
}

/// <summary>Hands events to handlers: libvirt accepts one registration of a function per connection and kind.</summary>
internal sealed class EventSource<T> : EventSource
{
    private ImmutableArray<Subscription> _subscriptions = [];

    /// <summary>Finds the source behind the pointer that libvirt hands to a callback.</summary>
    internal static unsafe EventSource<T> From(void* opaque) =>
        (EventSource<T>)GCHandle.FromIntPtr((nint)opaque).Target!;

    /// <summary>Adds a handler; disposing the result removes it.</summary>
    internal IDisposable Add(Action<T> handler)
    {
        Subscription subscription = new(this, handler);
        ImmutableInterlocked.Update(ref _subscriptions, (all, one) => all.Add(one), subscription);
        return subscription;
    }

    /// <summary>Calls the handlers; what one throws is reported, never passed on: the caller is native code.</summary>
    internal void Dispatch(T value)
    {
        foreach (Subscription subscription in _subscriptions)
        {
            try
            {
                subscription.Handler?.Invoke(value);
            }
#pragma warning disable CA1031 // An exception that crossed into native code would end the process.
            catch (Exception exception)
#pragma warning restore CA1031
            {
                LibvirtEventLoop.ReportHandlerFailure(exception);
            }
        }
    }

    internal override void Clear() => ImmutableInterlocked.Update(ref _subscriptions, static _ => []);

    private sealed class Subscription(EventSource<T> source, Action<T> handler) : IDisposable
    {
        private Action<T>? _handler = handler;

        /// <summary>Null once disposed, also in the middle of a dispatch.</summary>
        public Action<T>? Handler => Volatile.Read(ref _handler);

        public void Dispose()
        {
            Volatile.Write(ref _handler, null);
            ImmutableInterlocked.Update(ref source._subscriptions, static (all, one) => all.Remove(one), this);
        }
    }
}
