using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace SnapshotApi.Libvirt;

/// <summary>
/// One registration at a connection, for one kind of event. libvirt holds it by a <see cref="GCHandle"/>, which its free callback
/// releases when no further callback can come: never before, so a late callback finds its target alive.
/// </summary>
internal abstract unsafe class EventSource
{
    /// <summary>The free callback of every registration.</summary>
    internal static delegate* unmanaged[Cdecl]<void*, void> FreeCallback => &Free;

    /// <summary>What libvirt calls the registration; null: not registered.</summary>
    internal int? CallbackId { get; set; }

    /// <summary>Forgets every handler.</summary>
    internal abstract void Clear();

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Free(void* opaque) => GCHandle.FromIntPtr((nint)opaque).Free();
}
