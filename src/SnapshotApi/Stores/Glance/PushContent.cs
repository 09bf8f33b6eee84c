using System.Net;

namespace SnapshotApi.Stores.Glance;

/// <summary>
/// A request body that is pushed: once the server wants it, it hands out the stream of the connection and waits. The caller's
/// buffers go to the socket as they are.
/// </summary>
internal sealed class PushContent(long lengthBytes) : HttpContent
{
    // Long enough that a socket takes it in one call or two, and shared by all uploads.
    private static readonly byte[] Zeros = new byte[1 << 20];

    private readonly TaskCompletionSource<Stream> _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _finished = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _writtenBytes;

    /// <summary>The server wants the body; takes what is to be sent.</summary>
    public Task<Stream> Opened => _opened.Task;

    /// <summary>Bytes that the stream took.</summary>
    public long WrittenBytes => _writtenBytes;

    /// <summary>Zeros to be sent.</summary>
    public static ReadOnlyMemory<byte> ZerosOf(long lengthBytes) => Zeros.AsMemory(0, (int)Math.Min(Zeros.Length, lengthBytes));

    /// <summary>So many bytes were written to the stream.</summary>
    public void Count(int writtenBytes) => _writtenBytes += writtenBytes;

    /// <summary>There is no more to send: the body ends, or, when it is not whole, the server has answered before its end.</summary>
    public void Finish() => _finished.TrySetResult();

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
        SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        _opened.TrySetResult(stream);
        await _finished.Task.WaitAsync(cancellationToken).ConfigureAwait(false);

        // What the server does not want is written into nothing: see EarlyAnswerStream.
        for (long left = lengthBytes - _writtenBytes; left > 0;)
        {
            ReadOnlyMemory<byte> zeros = ZerosOf(left);
            await stream.WriteAsync(zeros, cancellationToken).ConfigureAwait(false);
            left -= zeros.Length;
        }
    }

    protected override bool TryComputeLength(out long length)
    {
        length = lengthBytes;
        return true;
    }
}
