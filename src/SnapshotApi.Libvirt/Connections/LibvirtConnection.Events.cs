using System.Runtime.InteropServices;
using SnapshotApi.Libvirt.Interop;
using static SnapshotApi.Libvirt.Interop.NativeMethods;

namespace SnapshotApi.Libvirt;

/// <content>
/// Subscriptions. Handlers run on the thread of the event loop: they return quickly and make no libvirt call; what they throw goes
/// to <see cref="LibvirtEventLoop.EventHandlerFailed"/>. Each subscription is removed by disposing it, or with the connection.
/// </content>
public sealed unsafe partial class LibvirtConnection
{
    private readonly HashSet<EventSubscription> _subscriptions = [];
    private int _closeCallbackRegistered;
    private bool _subscriptionsEnded;

    /// <summary>Follows definitions, starts, stops, suspends and resumes of every domain.</summary>
    /// <exception cref="LibvirtException">The driver has no such event, or the connection is lost.</exception>
    public IDisposable SubscribeLifecycle(Action<LifecycleEvent> handler)
        => Subscribe(handler, VIR_DOMAIN_EVENT_ID_LIFECYCLE, EventCallbacks.Lifecycle);

    /// <summary>Follows the block jobs of every domain.</summary>
    /// <exception cref="LibvirtException">The driver has no such event, or the connection is lost.</exception>
    public IDisposable SubscribeBlockJob(Action<BlockJobEvent> handler)
        => Subscribe(handler, VIR_DOMAIN_EVENT_ID_BLOCK_JOB_2, EventCallbacks.BlockJob);

    /// <summary>Follows I/O errors of every domain.</summary>
    /// <exception cref="LibvirtException">The driver has no such event, or the connection is lost.</exception>
    public IDisposable SubscribeIoError(Action<IoErrorEvent> handler)
        => Subscribe(handler, VIR_DOMAIN_EVENT_ID_IO_ERROR_REASON, EventCallbacks.IoErrorReason);

    /// <summary>Follows the guest agents of every domain.</summary>
    /// <exception cref="LibvirtException">The driver has no such event, or the connection is lost.</exception>
    public IDisposable SubscribeAgentLifecycle(Action<AgentLifecycleEvent> handler)
        => Subscribe(handler, VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE, EventCallbacks.AgentLifecycle);

    /// <summary>Follows the ends of domain jobs (save, backup...) of every domain.</summary>
    /// <exception cref="LibvirtException">The driver has no such event, or the connection is lost.</exception>
    public IDisposable SubscribeJobCompleted(Action<JobCompletedEvent> handler)
        => Subscribe(handler, VIR_DOMAIN_EVENT_ID_JOB_COMPLETED, EventCallbacks.JobCompleted);

    /// <summary>Called by a subscription that is disposed.</summary>
    internal void RemoveSubscription(EventSubscription subscription, int callbackId)
    {
        lock (_subscriptions)
        {
            _subscriptions.Remove(subscription);
        }

        Deregister(callbackId);
    }

    private EventSubscription<T> Subscribe<T>(Action<T> handler, int eventId, void* callback)
    {
        ArgumentNullException.ThrowIfNull(handler);
        // The lock holds off the end of the connection: a registration made after it would never be removed.
        lock (_subscriptions)
        {
            ObjectDisposedException.ThrowIf(_handle.IsClosed, this);
            if (_subscriptionsEnded)
            {
                throw new LibvirtException(
                    nameof(virConnectDomainEventRegisterAny),
                    LibvirtErrorCode.InvalidConn,
                    LibvirtErrorSource.None,
                    "the connection was lost");
            }

            EventSubscription<T> subscription = new(handler);
            GCHandle target = GCHandle.Alloc(subscription);
            int callbackId = virConnectDomainEventRegisterAny(
                _handle, nint.Zero, eventId, callback, (void*)GCHandle.ToIntPtr(target), EventSubscription.FreeCallback);
            if (callbackId < 0)
            {
                LibvirtException error = NativeCheck.LastError(nameof(virConnectDomainEventRegisterAny));
                // libvirt calls the free callback for registrations that it accepted, and for no other.
                target.Free();
                throw error;
            }

            subscription.Attach(this, callbackId);
            _subscriptions.Add(subscription);
            return subscription;
        }
    }

    private void RegisterCloseCallback()
    {
        GCHandle target = GCHandle.Alloc(new EventSubscription<ConnectionCloseReason>(OnClosed));
        if (virConnectRegisterCloseCallback(
            _handle, EventCallbacks.Close, (void*)GCHandle.ToIntPtr(target), EventSubscription.FreeCallback) >= 0)
        {
            _closeCallbackRegistered = 1;
            return;
        }

        LibvirtException error = NativeCheck.LastError(nameof(virConnectRegisterCloseCallback));
        target.Free();
        // A driver that works inside this process has no connection to lose.
        if (error.Code is not LibvirtErrorCode.NoSupport)
        {
            throw error;
        }
    }

    // A registration keeps libvirt's connection alive: all must go, or closing does not close.
    private void RemoveAllSubscriptions()
    {
        EventSubscription[] subscriptions;
        lock (_subscriptions)
        {
            _subscriptionsEnded = true;
            subscriptions = [.. _subscriptions];
            _subscriptions.Clear();
        }

        foreach (EventSubscription subscription in subscriptions)
        {
            if (subscription.Detach() is int callbackId)
            {
                Deregister(callbackId);
            }
        }

        if (Interlocked.Exchange(ref _closeCallbackRegistered, 0) == 1 && !_handle.IsClosed)
        {
            // -1 when the callback has been called: libvirt removed it then.
            _ = virConnectUnregisterCloseCallback(_handle, EventCallbacks.Close);
        }
    }

    private void Deregister(int callbackId)
    {
        if (!_handle.IsClosed)
        {
            // On a lost connection the daemon cannot be told and -1 is returned; the registration on our side is removed first.
            _ = virConnectDomainEventDeregisterAny(_handle, callbackId);
        }
    }
}
