using System.Net;
using System.Runtime.CompilerServices;
using SnapshotApi.Images;

namespace SnapshotApi.Stores.Glance;

/// <summary>
/// One PUT of an image's file, on a connection of its own. The server is asked first (<c>Expect: 100-continue</c>), so
/// that a refusal costs nothing, and is listened to while the file is sent. The caller disposes it; that cuts a file
/// that is not whole.
/// </summary>
internal sealed class GlanceTransfer : IImageSink, IAsyncDisposable
{
    private const string Peer = "Glance";

    // A server that ignores Expect gets the file after this; a busy one needs up to two seconds.
    private static readonly TimeSpan ContinueTimeout = TimeSpan.FromSeconds(10);

    private readonly HttpMessageInvoker _invoker;
    private readonly PushContent _content;
    private readonly CancellationTokenSource _abort = new();
    private readonly long _lengthBytes;
    private readonly TimeSpan _silenceLimit;
    private readonly TimeProvider _time;
    private EarlyAnswerStream? _connection;
    private Task<HttpResponseMessage>? _answer;
    private Stream? _stream;

    /// <param name="lengthBytes">Length of the file.</param>
    /// <param name="silenceLimit">How long the server may be silent when it is to answer.</param>
    /// <param name="time">Clock.</param>
    public GlanceTransfer(long lengthBytes, TimeSpan silenceLimit, TimeProvider time)
    {
        (_lengthBytes, _silenceLimit, _time, _content) = (
            lengthBytes, silenceLimit, time, new PushContent(lengthBytes));
        SocketsHttpHandler handler = GlanceClient.NewHandler();
        handler.Expect100ContinueTimeout = ContinueTimeout;
        handler.PlaintextStreamFilter = (context, _) =>
        {
            _connection = new EarlyAnswerStream(context.PlaintextStream);
            return ValueTask.FromResult<Stream>(_connection);
        };
        _invoker = new HttpMessageInvoker(handler);
    }

    /// <summary>Asks the server to take the file.</summary>
    /// <param name="address">Address of the file.</param>
    /// <param name="token">Who we are; null for nobody.</param>
    /// <param name="cancellationToken">Gives it up.</param>
    /// <returns>Null when it wants the file; else its answer, after which nothing can be sent any more.</returns>
    /// <exception cref="SnapshotException">store_failed, timed_out.</exception>
    public async Task<(HttpStatusCode Status, string Body)?> OpenAsync(
        string address, string? token, CancellationToken cancellationToken)
    {
        var request = new HttpRequestMessage(HttpMethod.Put, address) { Content = _content };
        request.Headers.ExpectContinue = true;
        request.Headers.ConnectionClose = true;
        request.Headers.Accept.ParseAdd("application/json");
        request.Headers.Add("x-openstack-image-size", _lengthBytes.ToString(CultureInfo.InvariantCulture));
        request.Content.Headers.ContentType = new("application/octet-stream");
        if (token is not null)
        {
            request.Headers.Add("X-Auth-Token", token);
        }

        _answer = _invoker.SendAsync(request, _abort.Token);
        try
        {
            await Task.WhenAny(_content.Opened, _answer).WaitAsync(_silenceLimit, _time, cancellationToken)
                .ConfigureAwait(false);
        }
        catch (TimeoutException e)
        {
            throw Answers.Silent(Peer, _silenceLimit, e);
        }

        if (_answer.IsCompleted)
        {
            return await ReadAnswerAsync(cancellationToken).ConfigureAwait(false);
        }

        _stream = await _content.Opened.ConfigureAwait(false);
        return null;
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        // The connection's stream knows no token of ours: cancelling closes the connection.
        using (cancellationToken.UnsafeRegister(static abort => ((CancellationTokenSource)abort!).Cancel(), _abort))
        {
            try
            {
                await _stream!.WriteAsync(bytes, cancellationToken).ConfigureAwait(false);
                _content.Count(bytes.Length);
            }
            catch (Exception e) when (
                e is IOException or HttpRequestException or ObjectDisposedException or OperationCanceledException)
            {
                cancellationToken.ThrowIfCancellationRequested();
                throw Answers.Lost(Peer, e);
            }
        }

        cancellationToken.ThrowIfCancellationRequested();
        if (_connection!.IsDiverted && _content.WrittenBytes < _lengthBytes)
        {
            throw await ExplainAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public async ValueTask WriteZerosAsync(long lengthBytes, CancellationToken cancellationToken)
    {
        while (lengthBytes > 0)
        {
            ReadOnlyMemory<byte> zeros = PushContent.ZerosOf(lengthBytes);
            await WriteAsync(zeros, cancellationToken).ConfigureAwait(false);
            lengthBytes -= zeros.Length;
        }
    }

    /// <summary>A proxy has given up waiting for the server's answer; the server may be at work still.</summary>
    public bool HasGatewayTimedOut { get; private set; }

    /// <summary>The file is whole: waits for the server's answer. May be called again when it was silent.</summary>
    /// <exception cref="SnapshotException">It did not take it.</exception>
    public async Task FinishAsync(CancellationToken cancellationToken)
    {
        _content.Finish();
        (HttpStatusCode status, string body) = await ReadAnswerAsync(cancellationToken).ConfigureAwait(false);
        HasGatewayTimedOut = status == HttpStatusCode.GatewayTimeout;
        if ((int)status is < 200 or > 299)
        {
            throw Answers.Refused(status, body);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _abort.CancelAsync().ConfigureAwait(false);
        if (_answer is not null)
        {
            // Whatever it was has been reported, or nobody waits for it any more.
            await ((Task)_answer).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (_answer.IsCompletedSuccessfully)
            {
                (await _answer.ConfigureAwait(false)).Dispose();
            }
        }

        _content.Dispose();
        _invoker.Dispose();
        _abort.Dispose();
    }

    /// <summary>Why the server wants no more.</summary>
    private async Task<SnapshotException> ExplainAsync(CancellationToken cancellationToken)
    {
        _content.Finish();
        (HttpStatusCode status, string body) = await ReadAnswerAsync(cancellationToken).ConfigureAwait(false);
        return (int)status is >= 200 and <= 299
            ? new SnapshotException(
                SnapshotErrorCode.StoreFailed, "Glance took the image for whole before it was")
            { IsTransient = true }
            : Answers.Refused(status, body);
    }

    private async Task<(HttpStatusCode Status, string Body)> ReadAnswerAsync(CancellationToken cancellationToken)
    {
        try
        {
            HttpResponseMessage answer = await _answer!.WaitAsync(_silenceLimit, _time, cancellationToken)
                .ConfigureAwait(false);
            await answer.Content.LoadIntoBufferAsync(GlanceClient.MaxAnswerBytes, cancellationToken)
                .WaitAsync(_silenceLimit, _time, cancellationToken).ConfigureAwait(false);
            return (answer.StatusCode, await answer.Content.ReadAsStringAsync(cancellationToken).ConfigureAwait(false));
        }
        catch (TimeoutException e)
        {
            throw Answers.Silent(Peer, _silenceLimit, e);
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            throw Answers.Lost(Peer, e);
        }
    }
}

/// <summary>
/// A request body that is pushed: once the server wants it, it hands out the stream of the connection and waits. The
/// caller's buffers go to the socket as they are.
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
    public static ReadOnlyMemory<byte> ZerosOf(long lengthBytes) =>
        Zeros.AsMemory(0, (int)Math.Min(Zeros.Length, lengthBytes));

    /// <summary>So many bytes were written to the stream.</summary>
    public void Count(int writtenBytes) => _writtenBytes += writtenBytes;

    /// <summary>Ends the body, whole or, when the server has answered early, not.</summary>
    public void Finish() => _finished.TrySetResult();

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
        SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override async Task SerializeToStreamAsync(
        Stream stream, TransportContext? context, CancellationToken cancellationToken)
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
