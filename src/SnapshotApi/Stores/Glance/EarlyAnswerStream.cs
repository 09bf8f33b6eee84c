using System.Runtime.CompilerServices;

namespace SnapshotApi.Stores.Glance;

/// <summary>
/// The connection of one upload, which notices that the server answers before it has the whole body: it is full, the
/// image is gone. From then on what is written goes nowhere. <see cref="SocketsHttpHandler"/> returns an answer only
/// when all of the body was written; so it sees the end of it at once, and the answer is what is reported, not the
/// broken pipe behind it.
/// </summary>
internal sealed class EarlyAnswerStream : Stream
{
    private readonly Stream _inner;
    private readonly CancellationTokenSource _divert = new();

    // Taken once: a write may still ask it when all is disposed.
    private readonly CancellationToken _diverted;
    private bool _isInterim;

    /// <param name="inner">The connection, as plain text; disposed with this.</param>
    public EarlyAnswerStream(Stream inner) => (_inner, _diverted) = (inner, _divert.Token);

    /// <summary>The server has answered, or closed: nothing that is written reaches it any more.</summary>
    public bool IsDiverted => _diverted.IsCancellationRequested;

    public override bool CanRead => true;

    public override bool CanWrite => true;

    public override bool CanSeek => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        int read;
        try
        {
            read = await _inner.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            Divert();
            throw;
        }

        // A read of nothing only asks whether there is something.
        if (buffer.Length > 0 && (read == 0 || IsFinal(buffer.Span[..read])))
        {
            Divert();
        }

        return read;
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public override async ValueTask WriteAsync(
        ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (IsDiverted)
        {
            return;
        }

        try
        {
            // Also ends a write that waits for a server which has answered and reads no more.
            await _inner.WriteAsync(buffer, _diverted).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            // What the server said before it closed may still be there to be read.
            Divert();
        }
    }

    public override Task FlushAsync(CancellationToken cancellationToken) =>
        IsDiverted ? Task.CompletedTask : _inner.FlushAsync(cancellationToken);

    public override void Flush() => _inner.Flush();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            Divert();
            _inner.Dispose();
            _divert.Dispose();
        }

        base.Dispose(disposing);
    }

    private void Divert()
    {
        if (!IsDiverted)
        {
            _divert.Cancel();
        }
    }

    /// <summary>Something else than interim answers (100 Continue), which precede the body.</summary>
    private bool IsFinal(ReadOnlySpan<byte> bytes)
    {
        ReadOnlySpan<byte> interim = "HTTP/1.1 1"u8;
        while (!bytes.IsEmpty)
        {
            if (!_isInterim)
            {
                if (!bytes.StartsWith(interim) && !interim.StartsWith(bytes))
                {
                    return true;
                }

                _isInterim = true;
            }

            int end = bytes.IndexOf("\r\n\r\n"u8);
            if (end < 0)
            {
                return false;
            }

            bytes = bytes[(end + 4)..];
            _isInterim = false;
        }

        return false;
    }
}
