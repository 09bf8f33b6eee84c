using System.Buffers;
using SnapshotApi.Images;

namespace SnapshotApi.Tests.Images;

/// <summary>Keeps a small image in memory.</summary>
internal sealed class MemorySink : IImageSink
{
    private readonly ArrayBufferWriter<byte> _bytes = new();

    public byte[] Bytes => _bytes.WrittenSpan.ToArray();

    /// <summary>Zeros that came as such.</summary>
    public long ZerosBytes { get; private set; }

    public ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        _bytes.Write(bytes.Span);
        return ValueTask.CompletedTask;
    }

    public ValueTask WriteZerosAsync(long lengthBytes, CancellationToken cancellationToken)
    {
        ZerosBytes += lengthBytes;
        _bytes.Write(new byte[lengthBytes].AsSpan());
        return ValueTask.CompletedTask;
    }
}
