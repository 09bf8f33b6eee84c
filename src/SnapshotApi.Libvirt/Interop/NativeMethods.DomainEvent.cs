using System.Runtime.InteropServices;

namespace SnapshotApi.Libvirt.Interop;

/// <summary>libvirt-domain.h: event registration.</summary>
internal static unsafe partial class NativeMethods
{
    internal const int VIR_DOMAIN_EVENT_ID_LIFECYCLE = 0;
    internal const int VIR_DOMAIN_EVENT_ID_IO_ERROR_REASON = 6;
    internal const int VIR_DOMAIN_EVENT_ID_BLOCK_JOB_2 = 16;
    internal const int VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE = 18;
    internal const int VIR_DOMAIN_EVENT_ID_JOB_COMPLETED = 21;

    /// <param name="conn">Connection, which the registration keeps alive until it is removed.</param>
    /// <param name="dom">Null: events of every domain.</param>
    /// <param name="eventID">One of VIR_DOMAIN_EVENT_ID_*, which decides the real type of <paramref name="cb"/>.</param>
    /// <param name="cb">Function pointer.</param>
    /// <param name="opaque">Handed to <paramref name="cb"/> and <paramref name="freecb"/>.</param>
    /// <param name="freecb">Called once, when no more callback can come.</param>
    [LibraryImport(Library)]
    internal static partial int virConnectDomainEventRegisterAny(
        ConnectHandle conn, nint dom, int eventID, void* cb, void* opaque, delegate* unmanaged[Cdecl]<void*, void> freecb);

    [LibraryImport(Library)]
    internal static partial int virConnectDomainEventDeregisterAny(ConnectHandle conn, int callbackID);
}
