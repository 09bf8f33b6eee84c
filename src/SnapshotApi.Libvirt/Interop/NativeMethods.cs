using System.Runtime.InteropServices;

namespace SnapshotApi.Libvirt.Interop;

/// <summary>
/// The imports from libvirt, one partial file per header area, with the names of C. The synchronous method that makes a
/// call also checks its result and reads libvirt's thread-local error.
/// </summary>
internal static unsafe partial class NativeMethods
{
    internal const string Library = "libvirt.so.0";

    /// <summary>The part of the client library that only QEMU's driver answers.</summary>
    internal const string QemuLibrary = "libvirt-qemu.so.0";

    internal const int VIR_TYPED_PARAM_FIELD_LENGTH = 80;
    internal const int VIR_UUID_BUFLEN = 16;

    /// <summary>Belongs to the calling thread, until its next libvirt call.</summary>
    [LibraryImport(Library)] internal static partial virError* virGetLastError();
    [LibraryImport(Library)]
    internal static partial void virSetErrorFunc(
        void* userData, delegate* unmanaged[Cdecl]<void*, virError*, void> handler);
    [LibraryImport(Library)] internal static partial int virEventRegisterDefaultImpl();
    [LibraryImport(Library)] internal static partial int virEventRunDefaultImpl();

    /// <summary>The frequency is in milliseconds.</summary>
    [LibraryImport(Library)]
    internal static partial int virEventAddTimeout(
        int frequency, delegate* unmanaged[Cdecl]<int, void*, void> cb, void* opaque,
        delegate* unmanaged[Cdecl]<void*, void> ff);
    [LibraryImport(Library)] internal static partial int virInitialize();
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial ConnectHandle virConnectOpen(string name);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial ConnectHandle virConnectOpenReadOnly(string name);
    [LibraryImport(Library)] internal static partial int virConnectClose(nint conn);

    /// <summary>The text belongs to libvirt.</summary>
    [LibraryImport(Library)] internal static partial byte* virConnectGetType(ConnectHandle conn);
    [LibraryImport(Library)] internal static partial int virConnectGetVersion(ConnectHandle conn, out CULong hvVer);
    [LibraryImport(Library)] internal static partial int virConnectGetLibVersion(ConnectHandle conn, out CULong libVer);
    [LibraryImport(Library)] internal static partial int virConnectIsAlive(ConnectHandle conn);

    /// <summary>The interval is in seconds; the count is that of probes without an answer.</summary>
    [LibraryImport(Library)]
    internal static partial int virConnectSetKeepAlive(ConnectHandle conn, int interval, uint count);
    [LibraryImport(Library)]
    internal static partial int virConnectRegisterCloseCallback(
        ConnectHandle conn, delegate* unmanaged[Cdecl]<nint, int, void*, void> cb, void* opaque,
        delegate* unmanaged[Cdecl]<void*, void> freecb);
    [LibraryImport(Library)]
    internal static partial int virConnectUnregisterCloseCallback(
        ConnectHandle conn, delegate* unmanaged[Cdecl]<nint, int, void*, void> cb);
    [LibraryImport(Library)] internal static partial void virTypedParamsFree(virTypedParameter* @params, int nparams);
}

/// <summary><c>struct _virError</c> of virterror.h.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct virError
{
    internal int code;
    internal int domain;
    internal byte* message;
    internal int level;
    internal nint conn;
    internal nint dom;
    internal byte* str1;
    internal byte* str2;
    internal byte* str3;
    internal int int1;
    internal int int2;
    internal nint net;
}
