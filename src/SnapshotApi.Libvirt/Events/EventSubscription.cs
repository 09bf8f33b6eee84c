using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace SnapshotApi.Libvirt;

/// <summary>
/// A registration at a connection. libvirt holds it by a <see cref="GCHandle"/>, which its free callback releases when no further
/// callback can come: never before, so a late callback finds its target alive.
/// </summary>
internal abstract unsafe class EventSubscription : IDisposable
{
    private LibvirtConnection? _connection;
    private int _callbackId = -1;

    /// <summary>The free callback of every registration.</summary>
    internal static delegate* unmanaged[Cdecl]<void*, void> FreeCallback => &Free;

    /// <summary>Removes the registration. Callbacks under way may still end after this.</summary>
    public void Dispose() => Interlocked.Exchange(ref _connection, null)?.RemoveSubscription(this, _callbackId);

    /// <summary>Makes the subscription removable.</summary>
    internal void Attach(LibvirtConnection connection, int callbackId)
    {
        _callbackId = callbackId;
        Volatile.Write(ref _connection, connection);
    }

    /// <summary>Makes <see cref="Dispose"/> do nothing; for a connection that removes all it has.</summary>
    /// <returns>The registration's number, or null when somebody else has removed it.</returns>
    internal int? Detach() => Interlocked.Exchange(ref _connection, null) is null ? null : _callbackId;

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Free(void* opaque) => GCHandle.FromIntPtr((nint)opaque).Free();
}
