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
        ZStream* strm, int level, int method, int windowBits, int memLevel, int strategy, string version,
        int stream_size);
    [LibraryImport(Library)] internal static partial int deflate(ZStream* strm, int flush);
    [LibraryImport(Library)] internal static partial int deflateReset(ZStream* strm);
    [LibraryImport(Library)] internal static partial int deflateEnd(ZStream* strm);
}

/// <summary><c>z_stream</c> of zlib.h on 64-bit Linux. Must not move: zlib keeps its address.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct ZStream
{
    public byte* next_in;
    public uint avail_in;
    public CULong total_in;
    public byte* next_out;
    public uint avail_out;
    public CULong total_out;
    public byte* msg;
    public void* state;
    public void* zalloc;
    public void* zfree;
    public void* opaque;
    public int data_type;
    public CULong adler;
    public CULong reserved;
}

/// <summary>Owns a <c>z_stream</c> in native memory and what <c>deflateInit2</c> allocated for it.</summary>
internal sealed unsafe class SafeDeflateHandle : SafeHandle
{
    /// <summary>Negative: no header, no checksum. 2^12 = 4 KiB is the window with which QEMU inflates.</summary>
    private const int WindowBits = -12;

    private SafeDeflateHandle(ZStream* stream)
        : base(0, ownsHandle: true) => SetHandle((nint)stream);

    public override bool IsInvalid => handle == 0;

    private ZStream* Stream => (ZStream*)handle;

    /// <exception cref="CodecException">No memory.</exception>
    public static SafeDeflateHandle Create(int level)
    {
        var stream = (ZStream*)NativeMemory.AllocZeroed((nuint)sizeof(ZStream));
        int result = LibZ.deflateInit2_(
            stream, level, LibZ.Z_DEFLATED, WindowBits, LibZ.MAX_MEM_LEVEL, LibZ.Z_DEFAULT_STRATEGY, LibZ.ZLIB_VERSION,
            sizeof(ZStream));
        if (result != LibZ.Z_OK)
        {
            NativeMemory.Free(stream);
            throw new CodecException($"deflateInit2: error {result}");
        }

        return new SafeDeflateHandle(stream);
    }

    /// <summary>Compresses a block as a stream of its own.</summary>
    public bool TryDeflate(byte* source, int sourceBytes, byte* target, int targetBytes, out int writtenBytes)
    {
        bool added = false;
        try
        {
            DangerousAddRef(ref added);
            Check(LibZ.deflateReset(Stream), nameof(LibZ.deflateReset));
            Stream->next_in = source;
            Stream->avail_in = (uint)sourceBytes;
            Stream->next_out = target;
            Stream->avail_out = (uint)targetBytes;
            int result = LibZ.deflate(Stream, LibZ.Z_FINISH);
            writtenBytes = result == LibZ.Z_STREAM_END ? targetBytes - (int)Stream->avail_out : 0;
            if (result is not (LibZ.Z_STREAM_END or LibZ.Z_BUF_ERROR))
            {
                Check(result, nameof(LibZ.deflate));
            }

            return result == LibZ.Z_STREAM_END;
        }
        finally
        {
            if (added)
            {
                DangerousRelease();
            }
        }
    }

    protected override bool ReleaseHandle()
    {
        // Z_DATA_ERROR only says that a stream was given up in the middle.
        _ = LibZ.deflateEnd(Stream);
        NativeMemory.Free(Stream);
        return true;
    }

    private static void Check(int result, string function)
    {
        if (result != LibZ.Z_OK)
        {
            throw new CodecException($"{function}: error {result}");
        }
    }
}
