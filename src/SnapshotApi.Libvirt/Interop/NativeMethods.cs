namespace SnapshotApi.Libvirt.Interop;

/// <summary>
/// The imports from libvirt, one partial file per header area, with the names of C. A result is checked, and libvirt's
/// thread-local error read, by the same synchronous method that made the call.
/// </summary>
internal static partial class NativeMethods
{
    /// <summary>The client library.</summary>
    internal const string Library = "libvirt.so.0";

    /// <summary>The part of the client library that only QEMU's driver answers.</summary>
    internal const string QemuLibrary = "libvirt-qemu.so.0";

    internal const int VIR_TYPED_PARAM_FIELD_LENGTH = 80;
    internal const int VIR_UUID_BUFLEN = 16;
}
