using System.Runtime.InteropServices;

namespace SnapshotApi.Codecs.Interop;

/// <summary>The part of zlib that is used. Names as in zlib.h. See https://zlib.net/manual.html</summary>
internal static unsafe partial class LibZ
{
    internal const int Z_OK = 0;
    internal const int Z_STREAM_END = 1;
    internal const int Z_BUF_ERROR = -5;
    internal const int Z_FINISH = 4;
    internal const int Z_DEFLATED = 8;
    internal const int Z_DEFAULT_STRATEGY = 0;
    internal const int MAX_MEM_LEVEL = 9;

    /// <summary>Only the first character is compared: the interface is that of version 1.</summary>
    internal const string ZLIB_VERSION = "1.2.11";

    private const string Library = "libz.so.1";

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int deflateInit2_(
        ZStream* strm, int level, int method, int windowBits, int memLevel, int strategy, string version, int stream_size);

    [LibraryImport(Library)]
    internal static partial int deflate(ZStream* strm, int flush);

    [LibraryImport(Library)]
    internal static partial int deflateReset(ZStream* strm);

    [LibraryImport(Library)]
    internal static partial int deflateEnd(ZStream* strm);
}
