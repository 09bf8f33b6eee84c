using System.Runtime.InteropServices;

namespace SnapshotApi.Codecs.Interop;

/// <summary>libzstd, 1.4 or later, with the names of zstd.h: https://facebook.github.io/zstd/zstd_manual.html</summary>
internal static unsafe partial class LibZstd
{
    internal const int ZSTD_c_compressionLevel = 100;
    internal const int ZSTD_error_dstSize_tooSmall = 70;

    private const string Library = "libzstd.so.1";

    [LibraryImport(Library)] internal static partial SafeZstdHandle ZSTD_createCCtx();
    [LibraryImport(Library)] internal static partial nuint ZSTD_freeCCtx(nint cctx);
    [LibraryImport(Library)]
    internal static partial nuint ZSTD_CCtx_setParameter(SafeZstdHandle cctx, int param, int value);

    /// <summary>One whole frame; starts a new one whatever happened to the last.</summary>
    [LibraryImport(Library)]
    internal static partial nuint ZSTD_compress2(
        SafeZstdHandle cctx, byte* dst, nuint dstCapacity, byte* src, nuint srcSize);
    [LibraryImport(Library)] internal static partial uint ZSTD_isError(nuint code);

    /// <summary>From zstd_errors.h.</summary>
    [LibraryImport(Library)] internal static partial int ZSTD_getErrorCode(nuint functionResult);
}

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
