using SnapshotApi.Images;

namespace SnapshotApi.Benchmarks.Images;

/// <summary>Takes everything at no cost.</summary>
internal sealed class DiscardingSink : IImageSink, IProgress<long>
{
    public ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken) => ValueTask.CompletedTask;

    public ValueTask WriteZerosAsync(long lengthBytes, CancellationToken cancellationToken) => ValueTask.CompletedTask;

    public void Report(long value)
    {
        // Nobody looks.
    }
}
