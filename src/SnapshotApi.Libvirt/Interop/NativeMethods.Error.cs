using System.Runtime.InteropServices;

namespace SnapshotApi.Libvirt.Interop;

/// <summary>virterror.h. See https://libvirt.org/html/libvirt-virterror.html</summary>
internal static unsafe partial class NativeMethods
{
    /// <summary>Belongs to the calling thread, until its next libvirt call.</summary>
    [LibraryImport(Library)]
    internal static partial virError* virGetLastError();

    [LibraryImport(Library)]
    internal static partial void virResetLastError();

    [LibraryImport(Library)]
    internal static partial void virSetErrorFunc(void* userData, delegate* unmanaged[Cdecl]<void*, virError*, void> handler);
}
