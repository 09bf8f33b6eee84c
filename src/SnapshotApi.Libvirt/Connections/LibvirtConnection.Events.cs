using System.Runtime.InteropServices;
using SnapshotApi.Libvirt.Interop;
using static SnapshotApi.Libvirt.Interop.NativeMethods;

namespace SnapshotApi.Libvirt;

/// <content>
/// Subscriptions to the events of every domain. Handlers run on the thread of the event loop: they return quickly and
/// make no libvirt call; what they throw goes to <see cref="LibvirtEventLoop.EventHandlerFailed"/>. The first
/// subscription of a kind registers at the daemon, which blocks, and throws <see cref="LibvirtException"/> when the
/// driver has no such event or the connection is lost. Disposing it removes it, on any thread and also in its handler;
/// so does the connection's end.
/// </content>
public sealed unsafe partial class LibvirtConnection
{
    private readonly Lock _registrations = new();
    private readonly EventSource<LifecycleEvent> _lifecycle = new();
    private readonly EventSource<BlockJobEvent> _blockJob = new();
    private readonly EventSource<IoErrorEvent> _ioError = new();
    private readonly EventSource<AgentLifecycleEvent> _agentLifecycle = new();
    private readonly EventSource<ConnectionCloseReason> _close = new();
    private bool _closeRegistered;
    private bool _registrationsEnded;

    /// <summary>Definitions, starts, stops, suspends and resumes.</summary>
    public IDisposable SubscribeLifecycle(Action<LifecycleEvent> handler)
        => Subscribe(_lifecycle, handler, VIR_DOMAIN_EVENT_ID_LIFECYCLE, EventCallbacks.Lifecycle);

    public IDisposable SubscribeBlockJob(Action<BlockJobEvent> handler)
        => Subscribe(_blockJob, handler, VIR_DOMAIN_EVENT_ID_BLOCK_JOB_2, EventCallbacks.BlockJob);

    public IDisposable SubscribeIoError(Action<IoErrorEvent> handler)
        => Subscribe(_ioError, handler, VIR_DOMAIN_EVENT_ID_IO_ERROR_REASON, EventCallbacks.IoErrorReason);

    public IDisposable SubscribeAgentLifecycle(Action<AgentLifecycleEvent> handler)
        => Subscribe(_agentLifecycle, handler, VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE, EventCallbacks.AgentLifecycle);

    private IDisposable Subscribe<T>(EventSource<T> source, Action<T> handler, int eventId, void* callback)
    {
        ArgumentNullException.ThrowIfNull(handler);
        // The lock holds off the end of the connection: a registration made after it would never be removed.
        lock (_registrations)
        {
            ObjectDisposedException.ThrowIf(_handle.IsClosed, this);
            if (_registrationsEnded)
            {
                throw new LibvirtException(
                    nameof(virConnectDomainEventRegisterAny), LibvirtErrorCode.InvalidConn, LibvirtErrorSource.None,
                    "the connection was lost");
            }

            // Added first: no event is missed once the daemon knows.
            IDisposable subscription = source.Add(handler);
            try
            {
                source.CallbackId ??= Register(source, eventId, callback);
                return subscription;
            }
            catch
            {
                subscription.Dispose();
                throw;
            }
        }
    }

    private int Register(EventSource source, int eventId, void* callback)
    {
        GCHandle target = GCHandle.Alloc(source);
        int callbackId = virConnectDomainEventRegisterAny(
            _handle, nint.Zero, eventId, callback, (void*)GCHandle.ToIntPtr(target), EventSource.FreeCallback);
        if (callbackId >= 0)
        {
            return callbackId;
        }

        LibvirtException error = NativeCheck.LastError(nameof(virConnectDomainEventRegisterAny));
        // libvirt calls the free callback for registrations that it accepted, and for no other.
        target.Free();
        throw error;
    }

    private void RegisterCloseCallback()
    {
        _close.Add(OnClosed);
        GCHandle target = GCHandle.Alloc(_close);
        if (virConnectRegisterCloseCallback(
            _handle, EventCallbacks.Close, (void*)GCHandle.ToIntPtr(target), EventSource.FreeCallback) >= 0)
        {
            _closeRegistered = true;
            return;
        }

        LibvirtException error = NativeCheck.LastError(nameof(virConnectRegisterCloseCallback));
        target.Free();
        // A driver inside this process has no connection to lose.
        if (error.Code is not LibvirtErrorCode.NoSupport)
        {
            throw error;
        }
    }

    // A registration keeps libvirt's connection alive: unless all go, closing does not close it.
    private void EndRegistrations()
    {
        lock (_registrations)
        {
            if (_registrationsEnded)
            {
                return;
            }

            _registrationsEnded = true;
            foreach (EventSource source in (EventSource[])[_lifecycle, _blockJob, _ioError, _agentLifecycle])
            {
                source.Clear();
                if (source.CallbackId is int callbackId)
                {
                    // -1 on a lost connection, after the local registration was removed.
                    _ = virConnectDomainEventDeregisterAny(_handle, callbackId);
                }
            }

            // The test driver accepts a close callback and never frees it: it then holds an empty source.
            _close.Clear();
            if (_closeRegistered)
            {
                // -1 after the callback was called: libvirt has removed it then.
                _ = virConnectUnregisterCloseCallback(_handle, EventCallbacks.Close);
            }
        }
    }
}

/// <summary><c>virConnectCloseReason</c>: why a connection ended.</summary>
public enum ConnectionCloseReason
{
    /// <summary>An I/O error.</summary>
    Error = 0,
    /// <summary>The daemon closed it, or died.</summary>
    EndOfFile = 1,
    /// <summary>The daemon did not answer probes.</summary>
    KeepAlive = 2,
    /// <summary>This process closed it.</summary>
    Client = 3,
}
