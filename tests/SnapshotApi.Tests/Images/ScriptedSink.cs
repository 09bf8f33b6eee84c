using SnapshotApi.Images;

namespace SnapshotApi.Tests.Images;

/// <summary>Forgets everything and does on each write what the test says.</summary>
internal sealed class ScriptedSink(Func<long, CancellationToken, ValueTask> onWrite) : IImageSink
{
    public long LengthBytes { get; private set; }

    public async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        LengthBytes += bytes.Length;
        await onWrite(LengthBytes, cancellationToken);
    }

    public ValueTask WriteZerosAsync(long lengthBytes, CancellationToken cancellationToken)
    {
        LengthBytes += lengthBytes;
        return ValueTask.CompletedTask;
    }
}
