using System.Net;
using System.Text.Json.Nodes;

namespace SnapshotApi.Stores.Glance;

/// <summary>
/// The calls to Glance's API that we need. Each that is answered with 401 is done once more, with a new token: one may
/// expire in the middle of a long upload. https://docs.openstack.org/api-ref/image/v2/
/// </summary>
internal sealed class GlanceClient : IDisposable
{
    /// <summary>Longest answer that is read; records and errors have some KiB.</summary>
    public const int MaxAnswerBytes = 1 << 20;

    private const string PatchType = "application/openstack-images-v2.1-json-patch";

    private const string Peer = "Glance";

    // As many as Glance gives in one answer, as it comes (limit_param_default is 25, api_limit_max 1000).
    private const int PageSize = 100;

    // On a LAN a connection takes milliseconds; a host that is off does not answer at all.
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(10);

    private readonly StoresOptions _options;
    private readonly TimeSpan _silenceLimit;
    private readonly TimeProvider _time;
    private readonly HttpClient _http;
    private readonly ITokenSource _tokens;

    public GlanceClient(IOptions<StoresOptions> options, IOptions<NodeOptions> node, TimeProvider time)
    {
        (_options, _silenceLimit, _time) = (options.Value, node.Value.StallTimeout, time);
        _http = new HttpClient(
            NewHandler())
        { Timeout = Timeout.InfiniteTimeSpan, MaxResponseContentBufferSize = MaxAnswerBytes };
        _http.DefaultRequestHeaders.Accept.ParseAdd("application/json");
        _tokens = _options.Glance.Keystone.IsConfigured()
            ? new KeystoneTokenSource(_options.Glance.Keystone, _http, _silenceLimit, time)
            : new FixedTokenSource(_options.Glance);
    }

    private string Images => $"{WebAddress.WithVersion(_options.Glance.Endpoint, "v2")}/images";

    /// <summary>
    /// A handler that goes nowhere but where it is told to: a token must not follow a redirect, nor pass a proxy that
    /// the environment happens to name.
    /// </summary>
    public static SocketsHttpHandler NewHandler() => new()
    {
        AllowAutoRedirect = false,
        UseProxy = false,
        UseCookies = false,
        ConnectTimeout = ConnectTimeout,
        PooledConnectionLifetime = TimeSpan.FromMinutes(5),
    };

    /// <summary>Glance answers, and knows us.</summary>
    /// <exception cref="SnapshotException">store_failed, timed_out.</exception>
    public async Task CheckAsync(CancellationToken cancellationToken) =>
        Require(await AskAsync(HttpMethod.Get, $"{Images}?limit=1", null, cancellationToken).ConfigureAwait(false));

    /// <summary>Makes a record; its file is to follow.</summary>
    /// <exception cref="SnapshotException">store_failed, quota_exceeded, timed_out.</exception>
    public async Task CreateAsync(JsonObject record, CancellationToken cancellationToken) =>
        Require(await AskAsync(HttpMethod.Post, Images, record, cancellationToken).ConfigureAwait(false));

    /// <summary>Makes a record in the name of somebody else, to whom it belongs then.</summary>
    /// <param name="record">The record.</param>
    /// <param name="token">Token of that user; of no use any more when the call has ended.</param>
    /// <param name="cancellationToken">Gives it up.</param>
    /// <exception cref="SnapshotException">store_failed, quota_exceeded, timed_out.</exception>
    public async Task CreateAsync(JsonObject record, string token, CancellationToken cancellationToken)
    {
        using HttpRequestMessage request = Compose(HttpMethod.Post, Images, record, token);
        using HttpResponseMessage answer = await Answers.SendAsync(
            _http, request, Peer, _silenceLimit, _time, cancellationToken).ConfigureAwait(false);
        Require((answer.StatusCode, await answer.Content.ReadAsStringAsync(cancellationToken).ConfigureAwait(false)));
    }

    /// <summary>Changes a record.</summary>
    /// <param name="id">Id of the image.</param>
    /// <param name="change">What to change, as in RFC 6902.</param>
    /// <param name="cancellationToken">Gives it up.</param>
    /// <exception cref="SnapshotException">image_deleted, store_failed, timed_out.</exception>
    public async Task ChangeAsync(Guid id, JsonArray change, CancellationToken cancellationToken)
    {
        (HttpStatusCode status, string body) = await AskAsync(
            HttpMethod.Patch, $"{Images}/{id:D}", change, cancellationToken).ConfigureAwait(false);
        if ((int)status is < 200 or > 299)
        {
            throw Answers.Refused(status, body);
        }
    }

    /// <summary>Whole images with certain properties, the newest first.</summary>
    /// <param name="owner">Project that they belong to.</param>
    /// <param name="properties">Properties that they have.</param>
    /// <param name="cancellationToken">Gives it up.</param>
    /// <exception cref="SnapshotException">store_failed, timed_out.</exception>
    public async Task<IReadOnlyList<Guid>> ListActiveAsync(
        string owner, IReadOnlyDictionary<string, string> properties, CancellationToken cancellationToken)
    {
        string filter = string.Concat(
            properties.Select(p => $"&{Uri.EscapeDataString(p.Key)}={Uri.EscapeDataString(p.Value)}"));
        string first = $"{Images}?status=active&sort=created_at:desc&limit={PageSize}"
            + $"&owner={Uri.EscapeDataString(owner)}{filter}";
        var found = new List<Guid>();
        while (true)
        {
            string page = found.Count == 0 ? first : $"{first}&marker={found[^1]:D}";
            (HttpStatusCode status, string body) answer = await AskAsync(HttpMethod.Get, page, null, cancellationToken)
                .ConfigureAwait(false);
            Require(answer);
            (IReadOnlyList<Guid> ids, bool hasMore) = ReadIds(answer.body);
            found.AddRange(ids);

            // A page may be shorter than was asked for (api_limit_max): only its "next" tells that there are more.
            if (!hasMore || ids.Count == 0)
            {
                return found;
            }
        }
    }

    /// <summary>A record; null when there is none.</summary>
    /// <exception cref="SnapshotException">store_failed, timed_out.</exception>
    public async Task<GlanceImage?> FindAsync(Guid id, CancellationToken cancellationToken)
    {
        (HttpStatusCode status, string body) answer = await AskAsync(
            HttpMethod.Get, $"{Images}/{id:D}", null, cancellationToken).ConfigureAwait(false);
        if (answer.status == HttpStatusCode.NotFound)
        {
            return null;
        }

        Require(answer);
        try
        {
            return GlanceImage.Read(answer.body);
        }
        catch (JsonException e)
        {
            throw new SnapshotException(SnapshotErrorCode.StoreFailed, "Glance's answer is no record of an image", e);
        }
    }

    /// <summary>Deletes a record and its file; false when there is none.</summary>
    /// <exception cref="SnapshotException">store_failed, timed_out.</exception>
    public async Task<bool> DeleteAsync(Guid id, CancellationToken cancellationToken)
    {
        (HttpStatusCode status, string body) answer = await AskAsync(
            HttpMethod.Delete, $"{Images}/{id:D}", null, cancellationToken).ConfigureAwait(false);
        if (answer.status is HttpStatusCode.NotFound or HttpStatusCode.Gone)
        {
            return false;
        }

        Require(answer);
        return true;
    }

    /// <summary>Begins to send the file of a record that has none; the caller disposes the transfer.</summary>
    /// <exception cref="SnapshotException">
    /// store_failed, image_deleted, no_space, quota_exceeded, timed_out.
    /// </exception>
    public async Task<GlanceTransfer> OpenFileAsync(Guid id, long lengthBytes, CancellationToken cancellationToken)
    {
        bool isRenewed = false;
        while (true)
        {
            string? token = await _tokens.GetAsync(cancellationToken).ConfigureAwait(false);
            var transfer = new GlanceTransfer(lengthBytes, _silenceLimit, _time);
            try
            {
                (HttpStatusCode status, string body)? refusal =
                    await transfer.OpenAsync($"{Images}/{id:D}/file", token, cancellationToken).ConfigureAwait(false);
                if (refusal is not { } answer)
                {
                    return transfer;
                }

                if (answer.status != HttpStatusCode.Unauthorized || isRenewed || !_tokens.Refuse(token))
                {
                    throw Answers.Refused(answer.status, answer.body);
                }

                isRenewed = true;
            }
            catch
            {
                await transfer.DisposeAsync().ConfigureAwait(false);
                throw;
            }

            await transfer.DisposeAsync().ConfigureAwait(false);
        }
    }

    public void Dispose()
    {
        (_tokens as IDisposable)?.Dispose();
        _http.Dispose();
    }

    private static void Require((HttpStatusCode Status, string Body) answer)
    {
        // Nothing is asked of a certain image where that is not looked at before.
        if (answer.Status == HttpStatusCode.NotFound)
        {
            throw new SnapshotException(
                SnapshotErrorCode.StoreFailed,
                $"there is no Glance at its address: {StoreWords.Of(answer.Status, answer.Body)}");
        }

        if ((int)answer.Status is < 200 or > 299)
        {
            throw Answers.Refused(answer.Status, answer.Body);
        }
    }

    private static HttpRequestMessage Compose(HttpMethod method, string address, JsonNode? document, string? token)
    {
        var request = new HttpRequestMessage(method, address);
        if (token is not null)
        {
            request.Headers.Add("X-Auth-Token", token);
        }

        if (document is not null)
        {
            request.Content = new StringContent(
                document.ToJsonString(),
                System.Text.Encoding.UTF8,
                method == HttpMethod.Patch ? PatchType : "application/json");
        }

        return request;
    }

    private static (IReadOnlyList<Guid> Ids, bool HasMore) ReadIds(string body)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(body);
            return (
                [.. document.RootElement.GetProperty("images").EnumerateArray()
                    .Select(i => i.GetProperty("id").GetGuid())],
                document.RootElement.TryGetProperty("next", out JsonElement next)
                    && next.ValueKind == JsonValueKind.String);
        }
        catch (Exception e) when (
            e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new SnapshotException(SnapshotErrorCode.StoreFailed, "Glance's answer is no list of images", e);
        }
    }

    private async Task<(HttpStatusCode Status, string Body)> AskAsync(
        HttpMethod method, string address, JsonNode? document, CancellationToken cancellationToken)
    {
        bool isRenewed = false;
        while (true)
        {
            string? token = await _tokens.GetAsync(cancellationToken).ConfigureAwait(false);
            using HttpRequestMessage request = Compose(method, address, document, token);
            using HttpResponseMessage answer = await Answers.SendAsync(
                _http, request, Peer, _silenceLimit, _time, cancellationToken).ConfigureAwait(false);
            if (answer.StatusCode == HttpStatusCode.Unauthorized && !isRenewed && _tokens.Refuse(token))
            {
                isRenewed = true;
                continue;
            }

            return (answer.StatusCode, await answer.Content.ReadAsStringAsync(cancellationToken).ConfigureAwait(false));
        }
    }
}
