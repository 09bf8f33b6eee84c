using System.Globalization;
using System.Net.Http.Headers;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using SnapshotApi.Contracts;

namespace SnapshotApi.Cli.Http;

/// <summary>
/// The calls of the HTTP API. They fail with <see cref="ProblemException"/> or
/// <see cref="ServiceUnreachableException"/>.
/// </summary>
internal sealed class SnapshotClient : IDisposable
{
    /// <summary>How long one long poll may take; the longest that the service grants.</summary>
    public static readonly TimeSpan LongPoll = TimeSpan.FromSeconds(30);

    /// <summary>Far more than any document of the service has.</summary>
    private const long LongestDocumentBytes = 32L << 20;

    private readonly HttpClient _http;
    private readonly ServiceAddress _service;
    private readonly TimeSpan _timeout;
    private readonly TimeProvider _time;

    /// <param name="service">Where the service is; the path of its URL is kept.</param>
    /// <param name="timeout">How long the service may take to answer.</param>
    /// <param name="time">Clock of the time-out.</param>
    /// <param name="key">API key or token; null for none.</param>
    public SnapshotClient(ServiceAddress service, TimeSpan timeout, TimeProvider time, string? key = null)
    {
        (_service, _timeout, _time) = (service, timeout, time);
        var handler = new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            ConnectTimeout = timeout,
            PooledConnectionLifetime = TimeSpan.FromMinutes(2),

            // A proxy from the environment is for the world outside, never for this machine.
            UseProxy = !service.Url.IsLoopback,
        };
        if (service.SocketPath is not null)
        {
            handler.ConnectCallback = (_, token) => service.OpenAsync(token);
        }

        _http = new HttpClient(handler)
        {
            BaseAddress = new Uri(service.Url.AbsoluteUri.TrimEnd('/') + "/"),
            Timeout = Timeout.InfiniteTimeSpan,
            MaxResponseContentBufferSize = LongestDocumentBytes,
        };
        string version = typeof(SnapshotClient).Assembly
            .GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion;
        _http.DefaultRequestHeaders.UserAgent.Add(new ProductInfoHeaderValue("snapshotctl", version.Split('+')[0]));
        _http.DefaultRequestHeaders.Accept.ParseAdd("application/json, application/problem+json");
        _http.DefaultRequestHeaders.Authorization = key is null ? null : new AuthenticationHeaderValue("Bearer", key);
    }

    /// <summary>GET of a document.</summary>
    public Task<ServiceAnswer> GetAsync(string path, CancellationToken cancellationToken) =>
        SendAsync(new HttpRequestMessage(HttpMethod.Get, path), _timeout, cancellationToken);

    /// <summary>GET of a health report, which is a report also when its status is 503.</summary>
    public async Task<ServiceAnswer> GetHealthAsync(string path, CancellationToken cancellationToken)
    {
        try
        {
            return await GetAsync(path, cancellationToken).ConfigureAwait(false);
        }
        catch (ProblemException e) when (e.Status == 503 && e.Document.ValueKind == JsonValueKind.Object)
        {
            return new ServiceAnswer(e.Status, e.Document, null);
        }
    }

    /// <summary>GET of a job: waits until it differs from <paramref name="etag"/> or the poll ends.</summary>
    public Task<ServiceAnswer> GetJobAsync(string jobId, string? etag, CancellationToken cancellationToken)
    {
        string path = $"jobs/{Segment(jobId)}";
        if (etag is null)
        {
            return GetAsync(path, cancellationToken);
        }

        string wait = LongPoll.TotalSeconds.ToString("0", CultureInfo.InvariantCulture);
        var request = new HttpRequestMessage(HttpMethod.Get, $"{path}?wait={wait}");
        request.Headers.TryAddWithoutValidation("If-None-Match", etag);
        return SendAsync(request, _timeout + LongPoll, cancellationToken);
    }

    /// <summary>POST of a snapshot request; it is repeated once if the connection breaks before the answer.</summary>
    public async Task<ServiceAnswer> PostSnapshotAsync(
        string server, SnapshotBody body, string idempotencyKey, CancellationToken cancellationToken)
    {
        HttpRequestMessage Make() => new(HttpMethod.Post, $"servers/{Segment(server)}/snapshots")
        {
            Headers = { { "Idempotency-Key", idempotencyKey } },
            Content = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(body, CliJson.Default.SnapshotBody))
            {
                Headers = { ContentType = new MediaTypeHeaderValue("application/json") },
            },
        };

        try
        {
            return await SendAsync(Make(), _timeout, cancellationToken).ConfigureAwait(false);
        }
        catch (ServiceUnreachableException e) when (e.IsBroken)
        {
            // The service may have accepted the job: with the same key it answers that one.
            return await SendAsync(Make(), _timeout, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>PATCH of a job's bandwidth limit, in bytes a second; null lifts it.</summary>
    public Task<ServiceAnswer> LimitJobAsync(string jobId, long? bytesPerSecond, CancellationToken cancellationToken)
    {
        string limit = bytesPerSecond?.ToString(CultureInfo.InvariantCulture) ?? "null";
        var request = new HttpRequestMessage(HttpMethod.Patch, $"jobs/{Segment(jobId)}")
        {
            Content = new StringContent(
                $$"""{"bandwidthBytesPerSecond":{{limit}}}""",
                new MediaTypeHeaderValue("application/merge-patch+json")),
        };
        return SendAsync(request, _timeout, cancellationToken);
    }

    /// <summary>POST without a body.</summary>
    public Task<ServiceAnswer> PostAsync(string path, CancellationToken cancellationToken) =>
        SendAsync(new HttpRequestMessage(HttpMethod.Post, path), _timeout, cancellationToken);

    /// <summary>DELETE of a job (a request to cancel it) or of an image.</summary>
    public Task<ServiceAnswer> DeleteAsync(string path, CancellationToken cancellationToken) =>
        SendAsync(new HttpRequestMessage(HttpMethod.Delete, path), _timeout, cancellationToken);

    /// <summary>Opens the file of an image at an offset; the caller disposes the answer and reads its body.</summary>
    /// <returns>206, 200 (the whole file, because it has changed) or 416 (there is nothing from there on).</returns>
    public async Task<HttpResponseMessage> OpenImageAsync(
        Image image, long offsetBytes, CancellationToken cancellationToken)
    {
        using HttpRequestMessage request = FileRequest(HttpMethod.Get, image);
        if (offsetBytes > 0)
        {
            request.Headers.Range = new RangeHeaderValue(offsetBytes, null);
            request.Headers.IfRange = new RangeConditionHeaderValue($"\"{image.Digest}\"");
        }

        HttpResponseMessage response = await OpenAsync(request, cancellationToken).ConfigureAwait(false);
        if ((int)response.StatusCode is 200 or 206 or 416)
        {
            return response;
        }

        using (response)
        {
            throw await ProblemOfAsync(response, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>The name that the service gives to the file of an image; null when it gives none.</summary>
    public async Task<string?> FindFileNameAsync(Image image, CancellationToken cancellationToken)
    {
        using HttpRequestMessage request = FileRequest(HttpMethod.Head, image);
        using HttpResponseMessage response = await OpenAsync(request, cancellationToken).ConfigureAwait(false);
        ContentDispositionHeaderValue? disposition = response.Content.Headers.ContentDisposition;
        return disposition?.FileNameStar ?? disposition?.FileName?.Trim('"');
    }

    /// <summary>One segment of a path, escaped.</summary>
    /// <exception cref="ArgumentException">It is empty, <c>.</c> or <c>..</c>: escaping does not help.</exception>
    public static string Segment(string text) => text is "" or "." or ".."
        ? throw new ArgumentException($"'{text}' can't be the name of anything")
        : Uri.EscapeDataString(text);

    public void Dispose() => _http.Dispose();

    private static HttpRequestMessage FileRequest(HttpMethod method, Image image)
    {
        var request = new HttpRequestMessage(method, $"images/{image.Id:D}/file");
        request.Headers.Accept.ParseAdd("application/octet-stream, application/problem+json;q=0.5, */*;q=0.1");
        return request;
    }

    private Task<HttpResponseMessage> OpenAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
        TimedAsync(
            token => _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, token),
            _timeout,
            cancellationToken);

    private async Task<ServiceAnswer> SendAsync(
        HttpRequestMessage request, TimeSpan timeout, CancellationToken cancellationToken)
    {
        using HttpRequestMessage sent = request;
        using HttpResponseMessage response = await TimedAsync(
            token => _http.SendAsync(request, token), timeout, cancellationToken).ConfigureAwait(false);
        int status = (int)response.StatusCode;
        if (status is 304 or 204 || (response.IsSuccessStatusCode && response.Content.Headers.ContentLength == 0))
        {
            return new ServiceAnswer(status, default, response.Headers.ETag?.ToString());
        }

        if (!response.IsSuccessStatusCode)
        {
            throw await ProblemOfAsync(response, cancellationToken).ConfigureAwait(false);
        }

        JsonElement body = await ReadJsonAsync(response, cancellationToken).ConfigureAwait(false)
            ?? throw new ServiceUnreachableException($"{_service.Name} is not SnapshotApi: its answer is no JSON");
        return new ServiceAnswer(status, body, response.Headers.ETag?.ToString());
    }

    private async Task<HttpResponseMessage> TimedAsync(
        Func<CancellationToken, Task<HttpResponseMessage>> send, TimeSpan timeout, CancellationToken cancellationToken)
    {
        using var patience = new CancellationTokenSource(timeout, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, patience.Token);
        try
        {
            return await send(either.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new ServiceUnreachableException(
                $"no answer from {_service.Name} within {timeout.TotalSeconds:0} s", e);
        }
        catch (HttpRequestException e) when (_service.IsDenied(e))
        {
            throw new CommandFailedException(ExitCode.Denied, "not_permitted", _service.Explain(e), e);
        }
        catch (HttpRequestException e)
        {
            throw new ServiceUnreachableException(_service.Explain(e), e);
        }
    }

    private static async Task<ProblemException> ProblemOfAsync(
        HttpResponseMessage response, CancellationToken cancellationToken)
    {
        int status = (int)response.StatusCode;
        JsonElement? document = await ReadJsonAsync(response, cancellationToken).ConfigureAwait(false);
        ProblemDocument? problem = null;
        if (document is { ValueKind: JsonValueKind.Object } json)
        {
            try
            {
                problem = json.Deserialize(CliJson.Default.ProblemDocument);
            }
            catch (JsonException)
            {
                // Not a problem document after all: the status alone is reported.
            }
        }

        problem ??= new ProblemDocument();
        return new ProblemException(
            status,
            problem with
            {
                Status = problem.Status ?? status,
                Title = problem.Title ?? $"HTTP {status} {response.ReasonPhrase}".Trim(),
            },
            document ?? default);
    }

    private static async Task<JsonElement?> ReadJsonAsync(
        HttpResponseMessage response, CancellationToken cancellationToken)
    {
        try
        {
            byte[] bytes = await response.Content.ReadAsByteArrayAsync(cancellationToken).ConfigureAwait(false);
            using JsonDocument document = JsonDocument.Parse(bytes);
            return document.RootElement.Clone();
        }
        catch (JsonException)
        {
            return null;
        }
        catch (HttpRequestException e)
        {
            throw new ServiceUnreachableException($"the answer broke off: {e.Message}", e);
        }
    }
}

/// <summary>No usable answer came: no connection, none in time, or one that is not SnapshotApi's.</summary>
internal sealed class ServiceUnreachableException(string message, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>The connection was made and broke, so that the service may have received the request.</summary>
    public bool IsBroken => InnerException is HttpRequestException
    {
        HttpRequestError: not (HttpRequestError.NameResolutionError or HttpRequestError.ConnectionError
            or HttpRequestError.SecureConnectionError or HttpRequestError.ProxyTunnelError),
    };
}

/// <summary>An answer of the service that is no error.</summary>
/// <param name="Status">HTTP status: 200, 202, 204 or 304; 503 for a health report.</param>
/// <param name="Body">Its JSON; undefined for 204, 304 and an empty answer.</param>
/// <param name="ETag">Version of what was answered, quoted as it came; null when none was given.</param>
internal sealed record ServiceAnswer(int Status, JsonElement Body, string? ETag)
{
    /// <summary>Nothing has changed since the ETag that was sent.</summary>
    public bool IsUnchanged => Status == 304;

    /// <summary>The body as a document.</summary>
    /// <exception cref="ServiceUnreachableException">It is none of ours.</exception>
    public T Read<T>(JsonTypeInfo<T> type) => Read(Body, type);

    /// <summary>An element as a document.</summary>
    /// <exception cref="ServiceUnreachableException">It is none of ours.</exception>
    public static T Read<T>(JsonElement element, JsonTypeInfo<T> type)
    {
        try
        {
            return element.Deserialize(type)
                ?? throw new ServiceUnreachableException("the answer holds null where a document belongs");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new ServiceUnreachableException($"the answer is not one of SnapshotApi: {e.Message}", e);
        }
    }
}
