using SnapshotApi.Images;

namespace SnapshotApi.Tests.Images;

/// <summary>Writes an image to a file; zeros become a hole, also those that came as bytes: that spares the test machine's disk.</summary>
internal sealed class SparseFileSink(string path) : IImageSink, IDisposable
{
    private readonly FileStream _file = new(path, FileMode.CreateNew, FileAccess.Write, FileShare.Read, 0);

    public ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken) =>
        bytes.Span.ContainsAnyExcept((byte)0)
            ? _file.WriteAsync(bytes, cancellationToken)
            : WriteZerosAsync(bytes.Length, cancellationToken);

    public ValueTask WriteZerosAsync(long lengthBytes, CancellationToken cancellationToken)
    {
        _file.SetLength(_file.Position + lengthBytes);
        _file.Position = _file.Length;
        return ValueTask.CompletedTask;
    }

    public void Dispose() => _file.Dispose();
}
