using System.Runtime.CompilerServices;

namespace SnapshotApi.Images;

/// <summary>
/// Cancels when no byte has moved for the limit, and knows which side was waited for. A slow copy that moves never
/// trips it.
/// </summary>
internal sealed class StallWatch : IDisposable
{
    /// <summary>Looks per limit: the stall is noticed at most a quarter late.</summary>
    private const int LooksPerLimit = 4;

    private readonly Func<long> _receivedCount;
    private readonly TimeProvider _timeProvider;
    private readonly TimeSpan _limit;
    private readonly CancellationToken _userToken;
    private readonly CancellationTokenSource _cancellation;
    private readonly ITimer _timer;
    private readonly Lock _gate = new();
    private CopySide? _waitingFor = CopySide.Source;
    private long _lastCount;
    private long _movedAt;

    /// <param name="options">Limit and clock.</param>
    /// <param name="receivedCount">Grows whenever the server sent or took something; called from a timer.</param>
    /// <param name="cancellationToken">The user's; <see cref="Token"/> is cancelled with it.</param>
    public StallWatch(ImageStreamOptions options, Func<long> receivedCount, CancellationToken cancellationToken)
    {
        _receivedCount = receivedCount;
        _timeProvider = options.TimeProvider;
        _limit = options.StallTimeout;
        _userToken = cancellationToken;
        _cancellation = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        _movedAt = _timeProvider.GetTimestamp();
        TimeSpan period = _limit / LooksPerLimit;
        _timer = _timeProvider.CreateTimer(static watch => ((StallWatch)watch!).Look(), this, period, period);
    }

    /// <summary>Cancelled by the user's token or by a stall; <see cref="Stall"/> tells which.</summary>
    public CancellationToken Token => _cancellation.Token;

    /// <summary>Set once a stall was found.</summary>
    public ImageStalledException? Stall { get; private set; }

    /// <summary>The copy goes on to wait for this side; null while it waits for neither (bandwidth limit).</summary>
    public void WaitFor(CopySide? side)
    {
        lock (_gate)
        {
            _waitingFor = side;
            _movedAt = _timeProvider.GetTimestamp();
        }
    }

    /// <summary>What a copy failed of: a stall, a cancellation, or the destination if it was waited for.</summary>
    public Exception Blame(Exception exception) => exception switch
    {
        ImageCopyException => exception,
        OperationCanceledException cancelled when Token.IsCancellationRequested => Explain(cancelled),
        _ when _waitingFor == CopySide.Destination =>
            new ImageCopyException(CopySide.Destination, "writing the image failed", exception),
        _ => exception,
    };

    /// <summary>What a cancelled wait was: a stall, or the user's cancellation.</summary>
    public Exception Explain(OperationCanceledException exception) => (Exception?)Stall
        ?? (_userToken.IsCancellationRequested
            ? new OperationCanceledException(exception.Message, exception, _userToken)
            : exception);

    public void Dispose()
    {
        _timer.Dispose();
        _cancellation.Dispose();
    }

    private void Look()
    {
        lock (_gate)
        {
            long now = _timeProvider.GetTimestamp();
            long count = _receivedCount();
            bool moved = count != _lastCount && _waitingFor == CopySide.Source;
            _lastCount = count;
            if (moved || _waitingFor is not { } side)
            {
                _movedAt = now;
                return;
            }

            if (Stall is not null || _timeProvider.GetElapsedTime(_movedAt, now) < _limit)
            {
                return;
            }

            Stall = new ImageStalledException(side, _limit);
        }

        Cancel();
    }

    private void Cancel()
    {
        try
        {
            _cancellation.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // The copy ended while the timer was firing: nothing is left to cancel.
        }
    }
}

/// <summary>Counts what the sink takes, and lets the watch know when the sink is waited for.</summary>
internal sealed class WatchedSink(IImageSink inner, StallWatch watch) : IImageSink
{
    public long LengthBytes { get; private set; }

    /// <summary>Called with the position after each run of zeros, behind which no data may come for long.</summary>
    public Action<long>? Advanced { get; set; }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        watch.WaitFor(CopySide.Destination);
        await inner.WriteAsync(bytes, cancellationToken).ConfigureAwait(false);
        LengthBytes += bytes.Length;
        watch.WaitFor(CopySide.Source);
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public async ValueTask WriteZerosAsync(long lengthBytes, CancellationToken cancellationToken)
    {
        watch.WaitFor(CopySide.Destination);
        await inner.WriteZerosAsync(lengthBytes, cancellationToken).ConfigureAwait(false);
        LengthBytes += lengthBytes;
        watch.WaitFor(CopySide.Source);
        Advanced?.Invoke(LengthBytes);
    }
}

/// <summary>Lets the watch know when the file is waited for.</summary>
internal sealed class WatchedFile(IImageFile inner, StallWatch watch) : IImageFile
{
    public string Path => inner.Path;

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public async ValueTask WriteAtAsync(
        long offsetBytes, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        watch.WaitFor(CopySide.Destination);
        await inner.WriteAtAsync(offsetBytes, bytes, cancellationToken).ConfigureAwait(false);
        watch.WaitFor(CopySide.Source);
    }

    public void MarkFinal(long bytes) => inner.MarkFinal(bytes);

    public void SetLength(long lengthBytes)
    {
        watch.WaitFor(CopySide.Destination);
        inner.SetLength(lengthBytes);
        watch.WaitFor(CopySide.Source);
    }
}
