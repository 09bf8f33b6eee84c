using SnapshotApi.Images;

namespace SnapshotApi.Tests.Images;

/// <summary>Writes an image to a file; zeros become a hole.</summary>
internal sealed class FileSink(string path) : IImageSink, IDisposable
{
    private readonly FileStream _file = new(path, FileMode.CreateNew, FileAccess.Write, FileShare.Read, 0);

    public async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken) =>
        await _file.WriteAsync(bytes, cancellationToken);

    public ValueTask WriteZerosAsync(long lengthBytes, CancellationToken cancellationToken)
    {
        _file.SetLength(_file.Position + lengthBytes);
        _file.Position = _file.Length;
        return ValueTask.CompletedTask;
    }

    public void Dispose() => _file.Dispose();
}
