using System.Runtime.InteropServices;

namespace SnapshotApi.Libvirt.Interop;

/// <summary>libvirt-host.h. See https://libvirt.org/html/libvirt-libvirt-host.html</summary>
internal static unsafe partial class NativeMethods
{
    internal const int VIR_CONNECT_CLOSE_REASON_ERROR = 0;
    internal const int VIR_CONNECT_CLOSE_REASON_EOF = 1;
    internal const int VIR_CONNECT_CLOSE_REASON_KEEPALIVE = 2;
    internal const int VIR_CONNECT_CLOSE_REASON_CLIENT = 3;

    [LibraryImport(Library)]
    internal static partial int virInitialize();

    [LibraryImport(Library)]
    internal static partial int virGetVersion(out CULong libVer, byte* type, CULong* typeVer);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial ConnectHandle virConnectOpen(string name);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial ConnectHandle virConnectOpenReadOnly(string name);

    [LibraryImport(Library)]
    internal static partial int virConnectClose(nint conn);

    /// <summary>The text belongs to libvirt.</summary>
    [LibraryImport(Library)]
    internal static partial byte* virConnectGetType(ConnectHandle conn);

    [LibraryImport(Library)]
    internal static partial int virConnectGetVersion(ConnectHandle conn, out CULong hvVer);

    [LibraryImport(Library)]
    internal static partial int virConnectGetLibVersion(ConnectHandle conn, out CULong libVer);

    [LibraryImport(Library)]
    internal static partial byte* virConnectGetHostname(ConnectHandle conn);

    [LibraryImport(Library)]
    internal static partial byte* virConnectGetCapabilities(ConnectHandle conn);

    [LibraryImport(Library)]
    internal static partial int virConnectIsAlive(ConnectHandle conn);

    /// <summary>The interval is in seconds; the count is that of probes without an answer.</summary>
    [LibraryImport(Library)]
    internal static partial int virConnectSetKeepAlive(ConnectHandle conn, int interval, uint count);

    [LibraryImport(Library)]
    internal static partial int virConnectRegisterCloseCallback(
        ConnectHandle conn,
        delegate* unmanaged[Cdecl]<nint, int, void*, void> cb,
        void* opaque,
        delegate* unmanaged[Cdecl]<void*, void> freecb);

    [LibraryImport(Library)]
    internal static partial int virConnectUnregisterCloseCallback(
        ConnectHandle conn, delegate* unmanaged[Cdecl]<nint, int, void*, void> cb);

    [LibraryImport(Library)]
    internal static partial void virTypedParamsFree(virTypedParameter* @params, int nparams);
}
