using System.Text.Json.Nodes;

namespace SnapshotApi.Stores.Glance;

/// <summary>
/// Tokens of Keystone, kept until shortly before they expire or are refused.
/// https://docs.openstack.org/api-ref/identity/v3/#authentication-and-token-management
/// </summary>
/// <param name="options">Who we are.</param>
/// <param name="http">Sends; its own time-out is off.</param>
/// <param name="answerTimeout">How long Keystone may take.</param>
/// <param name="time">Clock.</param>
internal sealed class KeystoneTokenSource(
    KeystoneOptions options, HttpClient http, TimeSpan answerTimeout, TimeProvider time) : ITokenSource, IDisposable
{
    // A token is looked at once per call, at its beginning: it must live until then, on a clock that is not ours. A
    // tenth of a life of an hour would be thrown away for nothing; a minute of a life of five would be most of it.
    private static readonly TimeSpan LongestMargin = TimeSpan.FromMinutes(1);
    private const double MarginOfLife = 0.1;

    private readonly SemaphoreSlim _gate = new(1, 1);
    private string? _token;
    private DateTimeOffset _renewAt;

    public async Task<string?> GetAsync(CancellationToken cancellationToken)
    {
        await _gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (_token is null || time.GetUtcNow() >= _renewAt)
            {
                (_token, _renewAt) = await RequestAsync(cancellationToken).ConfigureAwait(false);
            }

            return _token;
        }
        finally
        {
            _gate.Release();
        }
    }

    public bool Refuse(string? token)
    {
        // Another call may have renewed it meanwhile: then there is a newer one already.
        Interlocked.CompareExchange(ref _token, null, token);
        return true;
    }

    public void Dispose() => _gate.Dispose();

    private async Task<(string Token, DateTimeOffset RenewAt)> RequestAsync(CancellationToken cancellationToken)
    {
        DateTimeOffset now = time.GetUtcNow();
        using var request = new HttpRequestMessage(
            HttpMethod.Post, $"{WebAddress.WithVersion(options.Url, "v3")}/auth/tokens")
        {
            // Of known length: Keystone under uwsgi takes a chunked body for none.
            Content = new StringContent(Compose().ToJsonString(), System.Text.Encoding.UTF8, "application/json"),
        };
        using HttpResponseMessage answer = await Answers.SendAsync(
            http, request, "Keystone", answerTimeout, time, cancellationToken).ConfigureAwait(false);
        string body = await answer.Content.ReadAsStringAsync(cancellationToken).ConfigureAwait(false);
        if (!answer.IsSuccessStatusCode)
        {
            throw new SnapshotException(
                SnapshotErrorCode.StoreFailed, $"Keystone gave no token: {StoreWords.Of(answer.StatusCode, body)}")
            {
                IsTransient = (int)answer.StatusCode >= 500,
            };
        }

        string? token = answer.Headers.TryGetValues("X-Subject-Token", out IEnumerable<string>? values)
            ? values.FirstOrDefault()
            : null;
        DateTimeOffset? expiresAt = ReadExpiry(body);
        if (string.IsNullOrEmpty(token) || expiresAt is null)
        {
            throw new SnapshotException(
                SnapshotErrorCode.StoreFailed, "Keystone's answer holds no token, or not when it expires");
        }

        TimeSpan life = expiresAt.Value - now;
        TimeSpan margin = life * MarginOfLife < LongestMargin ? life * MarginOfLife : LongestMargin;
        return (token, expiresAt.Value - margin);
    }

    private static DateTimeOffset? ReadExpiry(string body)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(body);
            return document.RootElement.GetProperty("token").GetProperty("expires_at").GetDateTimeOffset();
        }
        catch (Exception e) when (
            e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            return null;
        }
    }

    private JsonObject Compose()
    {
        try
        {
            return options.HasApplicationCredential()
                ? Authentication("application_credential", new JsonObject
                {
                    ["id"] = options.ApplicationCredentialId,
                    ["secret"] =
                        Secret.Read(options.ApplicationCredentialSecret, options.ApplicationCredentialSecretFile),
                })
                : Authentication(
                    "password",
                    new JsonObject
                    {
                        ["user"] = new JsonObject
                        {
                            ["name"] = options.Username,
                            ["domain"] = new JsonObject { ["name"] = options.UserDomain },
                            ["password"] = Secret.Read(options.Password, options.PasswordFile),
                        },
                    },
                    new JsonObject
                    {
                        ["project"] = new JsonObject
                        {
                            ["name"] = options.Project,
                            ["domain"] = new JsonObject { ["name"] = options.ProjectDomain },
                        },
                    });
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new SnapshotException(
                SnapshotErrorCode.StoreFailed, "the file with the secret for Keystone can't be read", e);
        }
    }

    // An application credential is bound to its project: a scope is an error there.
    private static JsonObject Authentication(string method, JsonObject identity, JsonObject? scope = null)
    {
        var authentication = new JsonObject
        {
            ["identity"] = new JsonObject { ["methods"] = new JsonArray(method), [method] = identity },
        };
        if (scope is not null)
        {
            authentication["scope"] = scope;
        }

        return new JsonObject { ["auth"] = authentication };
    }
}
