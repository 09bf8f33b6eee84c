using System.Runtime.InteropServices;

namespace SnapshotApi.Codecs.Interop;

/// <summary>Owns a <c>ZSTD_CCtx</c>.</summary>
internal sealed class SafeZstdHandle() : SafeHandle(0, ownsHandle: true)
{
    public override bool IsInvalid => handle == 0;

    protected override bool ReleaseHandle()
    {
        LibZstd.ZSTD_freeCCtx(handle);
        return true;
    }
}
