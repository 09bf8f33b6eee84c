using System.Text.Encodings.Web;
using System.Text.Json;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authorization;
using Microsoft.Extensions.Options;
using SnapshotApi.Configuration;
using SnapshotApi.Errors;

namespace SnapshotApi.Api.Access;

/// <summary>Knows a caller of the face of Nova by his token of Keystone's.</summary>
internal sealed class KeystoneHandler(
    IOptionsMonitor<AuthenticationSchemeOptions> options,
    ILoggerFactory logger,
    UrlEncoder encoder,
    KeystoneTokens tokens,
    IOptions<NovaOptions> nova)
    : AuthenticationHandler<AuthenticationSchemeOptions>(options, logger, encoder)
{
    /// <summary>Header with the token.</summary>
    public const string Header = "X-Auth-Token";

    protected override async Task<AuthenticateResult> HandleAuthenticateAsync()
    {
        // Clients look for versions before, and without, a token: that must not wait for Keystone.
        if (Request.Headers[Header] is not [{ Length: > 0 } token] || Context.GetEndpoint()?.Metadata.GetMetadata<IAllowAnonymous>() is not null)
        {
            return AuthenticateResult.NoResult();
        }

        try
        {
            bool changesSomething = !HttpMethods.IsGet(Request.Method) && !HttpMethods.IsHead(Request.Method);
            KeystoneIdentity? identity = await tokens.FindAsync(token, changesSomething, Context.RequestAborted).ConfigureAwait(false);
            return identity is null
                ? AuthenticateResult.NoResult()
                : AuthenticateResult.Success(new AuthenticationTicket(Caller.OfKeystone(identity, nova.Value.RoleOf(identity.Roles)), Scheme.Name));
        }
        catch (SnapshotException e)
        {
            AccessLog.Of(Context).ProviderAway(e);
            throw new RequestRejectedException(ProblemMapping.Of("identity_unavailable"), e.Message);
        }
    }
}

/// <summary>Whom Keystone knows a token to be of.</summary>
/// <param name="UserId">Id of the user.</param>
/// <param name="UserName">Name of the user.</param>
/// <param name="ProjectId">Project that the token is for; empty when it is for none.</param>
/// <param name="Roles">Names of the user's roles in it.</param>
/// <param name="ExpiresAt">When the token is of no use any more.</param>
internal sealed record KeystoneIdentity(string UserId, string UserName, string ProjectId, IReadOnlyList<string> Roles, DateTimeOffset ExpiresAt)
{
    /// <summary>Reads what Keystone says of a token.</summary>
    /// <exception cref="JsonException">It is not that.</exception>
    public static KeystoneIdentity Read(string json)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(json);
            JsonElement token = document.RootElement.GetProperty("token");
            JsonElement user = token.GetProperty("user");
            return new KeystoneIdentity(
                user.GetProperty("id").GetString()!,
                user.GetProperty("name").GetString()!,
                token.TryGetProperty("project", out JsonElement project) ? project.GetProperty("id").GetString()! : string.Empty,
                token.TryGetProperty("roles", out JsonElement roles) ? [.. roles.EnumerateArray().Select(r => r.GetProperty("name").GetString()!)] : [],
                token.GetProperty("expires_at").GetDateTimeOffset());
        }
        catch (Exception e) when (e is KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new JsonException("it is not what Keystone says of a token", e);
        }
    }
}
