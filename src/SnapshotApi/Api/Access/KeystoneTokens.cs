using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using SnapshotApi.Stores.Glance;

namespace SnapshotApi.Api.Access;

/// <summary>
/// Asks Keystone for the owner of a token, as the service's own user. Only valid tokens are cached, for a short time,
/// by their digest.
/// https://docs.openstack.org/api-ref/identity/v3/#validate-and-show-information-for-token
/// </summary>
internal sealed class KeystoneTokens : IDisposable
{
    private const string Peer = "Keystone";

    // Fernet tokens have some 250 bytes; Kestrel accepts headers of 32 KiB.
    private const int MaxLength = 8 << 10;

    // More users than are active at once; each entry has some hundred bytes.
    private const int MaxKept = 10_000;

    private static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(10);

    private readonly ConcurrentDictionary<string, (KeystoneIdentity Identity, DateTimeOffset Until)> _kept = new();
    private readonly NovaOptions _options;
    private readonly TimeProvider _time;
    private readonly HttpClient _http = new(GlanceClient.NewHandler())
    {
        Timeout = Timeout.InfiniteTimeSpan,
        MaxResponseContentBufferSize = GlanceClient.MaxAnswerBytes,
    };

    private readonly KeystoneTokenSource _own;

    public KeystoneTokens(IOptions<NovaOptions> options, TimeProvider time)
    {
        (_options, _time) = (options.Value, time);
        _own = new KeystoneTokenSource(_options.Keystone, _http, AnswerTimeout, time);
    }

    /// <summary>The owner of a token; null when the token is wrong, expired or revoked.</summary>
    /// <param name="isAskedAnew">The cache is not used.</param>
    /// <exception cref="SnapshotException">store_failed, timed_out: Keystone does not answer, or refuses.</exception>
    public async Task<KeystoneIdentity?> FindAsync(string token, bool isAskedAnew, CancellationToken cancellationToken)
    {
        if (token.Length > MaxLength || !token.All(c => c is > ' ' and <= '~'))
        {
            return null;
        }

        string digest = Convert.ToHexString(SHA256.HashData(Encoding.ASCII.GetBytes(token)));
        DateTimeOffset now = _time.GetUtcNow();
        if (!isAskedAnew
            && _kept.TryGetValue(digest, out (KeystoneIdentity Identity, DateTimeOffset Until) kept)
            && kept.Until > now)
        {
            return kept.Identity;
        }

        KeystoneIdentity? identity = await AskAsync(token, cancellationToken).ConfigureAwait(false);
        if (identity is null || identity.ExpiresAt <= now)
        {
            _kept.TryRemove(digest, out _);
            return null;
        }

        Keep(digest, identity, now);
        return identity;
    }

    public void Dispose()
    {
        _own.Dispose();
        _http.Dispose();
    }

    private void Keep(string digest, KeystoneIdentity identity, DateTimeOffset now)
    {
        if (_kept.Count >= MaxKept)
        {
            foreach (string old in _kept.Where(k => k.Value.Until <= now).Select(k => k.Key))
            {
                _kept.TryRemove(old, out _);
            }

            if (_kept.Count >= MaxKept)
            {
                _kept.Clear();
            }
        }

        DateTimeOffset believed = now + TimeSpan.FromSeconds(_options.TokenCacheSeconds);
        _kept[digest] = (identity, believed < identity.ExpiresAt ? believed : identity.ExpiresAt);
    }

    private async Task<KeystoneIdentity?> AskAsync(string token, CancellationToken cancellationToken)
    {
        string address = $"{WebAddress.WithVersion(_options.Keystone.Url, "v3")}/auth/tokens?nocatalog";
        bool isRenewed = false;
        bool isCut = false;
        while (true)
        {
            string own = (await _own.GetAsync(cancellationToken).ConfigureAwait(false))!;
            using var request = new HttpRequestMessage(HttpMethod.Get, address);
            request.Headers.Add("X-Auth-Token", own);
            request.Headers.Add("X-Subject-Token", token);
            HttpResponseMessage sent;
            try
            {
                sent = await Answers.SendAsync(_http, request, Peer, AnswerTimeout, _time, cancellationToken)
                    .ConfigureAwait(false);
            }
            catch (SnapshotException e) when (e.IsTransient && !isCut)
            {
                // Keystone may close a kept connection in the moment in which it is used again.
                isCut = true;
                continue;
            }

            using HttpResponseMessage answer = sent;
            string body = await answer.Content.ReadAsStringAsync(cancellationToken).ConfigureAwait(false);
            switch (answer.StatusCode)
            {
                case HttpStatusCode.OK:
                    return Read(body);
                case HttpStatusCode.NotFound:
                    return null;
                case HttpStatusCode.Unauthorized when !isRenewed:
                    _own.Refuse(own);
                    isRenewed = true;
                    break;
                default:
                    throw new SnapshotException(
                        SnapshotErrorCode.StoreFailed,
                        $"Keystone does not validate tokens: {StoreWords.Of(answer.StatusCode, body)}");
            }
        }
    }

    private static KeystoneIdentity Read(string body)
    {
        try
        {
            return KeystoneIdentity.Read(body);
        }
        catch (JsonException e)
        {
            throw new SnapshotException(
                SnapshotErrorCode.StoreFailed, "Keystone's answer does not describe the token", e);
        }
    }
}
