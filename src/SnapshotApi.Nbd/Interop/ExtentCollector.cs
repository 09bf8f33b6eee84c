using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace SnapshotApi.Nbd.Interop;

/// <summary>Receives the extents of a command. libnbd owns it until <see cref="Free"/>, which it calls once.</summary>
internal sealed unsafe class ExtentCollector(long endBytes)
{
    private readonly List<NbdExtent> _extents = [];

    internal IReadOnlyList<NbdExtent> Extents => _extents;

    internal LibNbd.nbd_extent_callback ToCallback() => new()
    {
        callback = &Receive,
        user_data = (void*)GCHandle.ToIntPtr(GCHandle.Alloc(this)),
        free = &Free,
    };

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Receive(
        void* userData, byte* metacontext, ulong offset, uint* entries, nuint entryCount, int* error)
    {
        // Only base:allocation is ever asked for: the name of the context needs no check.
        var collector = (ExtentCollector)GCHandle.FromIntPtr((nint)userData).Target!;
        collector.Add((long)offset, new ReadOnlySpan<uint>(entries, (int)entryCount));
        return 0;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Free(void* userData) => GCHandle.FromIntPtr((nint)userData).Free();

    private void Add(long offsetBytes, ReadOnlySpan<uint> entries)
    {
        for (int i = 0; i + 1 < entries.Length; i += 2)
        {
            // The last extent may reach beyond the request and the export (NBD protocol, NBD_REPLY_TYPE_BLOCK_STATUS).
            long length = Math.Min(entries[i], endBytes - offsetBytes);
            if (length <= 0)
            {
                return;
            }

            _extents.Add(new NbdExtent(offsetBytes, length, entries[i + 1]));
            offsetBytes += length;
        }
    }
}
