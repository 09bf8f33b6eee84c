using System.Runtime.InteropServices;

namespace SnapshotApi.Libvirt.Interop;

/// <summary>libvirt-event.h. See https://libvirt.org/html/libvirt-libvirt-event.html</summary>
internal static unsafe partial class NativeMethods
{
    [LibraryImport(Library)]
    internal static partial int virEventRegisterDefaultImpl();

    [LibraryImport(Library)]
    internal static partial int virEventRunDefaultImpl();

    /// <summary>The frequency is in milliseconds.</summary>
    [LibraryImport(Library)]
    internal static partial int virEventAddTimeout(
        int frequency,
        delegate* unmanaged[Cdecl]<int, void*, void> cb,
        void* opaque,
        delegate* unmanaged[Cdecl]<void*, void> ff);
}
