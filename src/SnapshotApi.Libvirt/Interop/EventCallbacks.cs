using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace SnapshotApi.Libvirt.Interop;

/// <summary>What libvirt calls on the event loop's thread; each copies what libvirt lends and hands it on.</summary>
internal static unsafe class EventCallbacks
{
    internal static delegate* unmanaged[Cdecl]<nint, nint, int, int, void*, int> Lifecycle => &OnLifecycle;

    internal static delegate* unmanaged[Cdecl]<nint, nint, byte*, int, int, void*, void> BlockJob => &OnBlockJob;

    internal static delegate* unmanaged[Cdecl]<nint, nint, byte*, byte*, int, byte*, void*, void> IoErrorReason =>
        &OnIoErrorReason;

    internal static delegate* unmanaged[Cdecl]<nint, nint, int, int, void*, void> AgentLifecycle => &OnAgentLifecycle;

    internal static delegate* unmanaged[Cdecl]<nint, int, void*, void> Close => &OnClose;

    // virConnectDomainEventCallback
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int OnLifecycle(nint conn, nint dom, int @event, int detail, void* opaque)
    {
        EventSource<LifecycleEvent>.From(opaque).Dispatch(
            new(Uuid(dom), Name(dom), (LifecycleEventType)@event, detail));
        return 0;
    }

    // virConnectDomainEventBlockJobCallback
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void OnBlockJob(nint conn, nint dom, byte* disk, int type, int status, void* opaque)
        => EventSource<BlockJobEvent>.From(opaque).Dispatch(
            new(Uuid(dom), Name(dom), NativeCheck.BorrowedText(disk), (BlockJobType)type, (BlockJobStatus)status));

    // virConnectDomainEventIOErrorReasonCallback
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void OnIoErrorReason(
        nint conn, nint dom, byte* srcPath, byte* devAlias, int action, byte* reason, void* opaque)
        => EventSource<IoErrorEvent>.From(opaque).Dispatch(
            new(
                Uuid(dom), Name(dom), NativeCheck.BorrowedText(srcPath), NativeCheck.BorrowedText(devAlias),
                (IoErrorAction)action, NativeCheck.BorrowedText(reason)));

    // virConnectDomainEventAgentLifecycleCallback
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void OnAgentLifecycle(nint conn, nint dom, int state, int reason, void* opaque)
        => EventSource<AgentLifecycleEvent>.From(opaque).Dispatch(new(Uuid(dom), Name(dom), (AgentState)state));

    // virConnectCloseFunc
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void OnClose(nint conn, int reason, void* opaque)
        => EventSource<ConnectionCloseReason>.From(opaque).Dispatch((ConnectionCloseReason)reason);

    private static Guid Uuid(nint dom)
    {
        Span<byte> uuid = stackalloc byte[NativeMethods.VIR_UUID_BUFLEN];
        fixed (byte* buffer = uuid)
        {
            // Fails only for a pointer that is no domain, which libvirt does not lend.
            _ = NativeMethods.virDomainGetUUID_Borrowed(dom, buffer);
        }

        return new Guid(uuid, bigEndian: true);
    }

    private static string Name(nint dom) => NativeCheck.BorrowedText(NativeMethods.virDomainGetName_Borrowed(dom));
}
