using System.Security.Claims;
using System.Text.Encodings.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authorization;

namespace SnapshotApi.Api.Access;

/// <summary>Authenticates a caller of Nova's API by a token of Keystone's.</summary>
internal sealed class KeystoneHandler(
    IOptionsMonitor<AuthenticationSchemeOptions> options,
    ILoggerFactory logger,
    UrlEncoder encoder,
    KeystoneTokens tokens,
    IOptions<NovaOptions> nova)
    : AuthenticationHandler<AuthenticationSchemeOptions>(options, logger, encoder)
{
    public const string Header = "X-Auth-Token";

    protected override async Task<AuthenticateResult> HandleAuthenticateAsync()
    {
        // Clients ask for versions before they have a token: that must not wait for Keystone.
        if (Request.Headers[Header] is not [{ Length: > 0 } token]
            || Context.GetEndpoint()?.Metadata.GetMetadata<IAllowAnonymous>() is not null)
        {
            return AuthenticateResult.NoResult();
        }

        try
        {
            bool changesSomething = !HttpMethods.IsGet(Request.Method) && !HttpMethods.IsHead(Request.Method);
            KeystoneIdentity? identity = await tokens.FindAsync(token, changesSomething, Context.RequestAborted)
                .ConfigureAwait(false);
            if (identity is null)
            {
                return AuthenticateResult.NoResult();
            }

            ClaimsPrincipal caller = Caller.OfKeystone(identity, nova.Value.RoleOf(identity.Roles));
            return AuthenticateResult.Success(new AuthenticationTicket(caller, Scheme.Name));
        }
        catch (SnapshotException e)
        {
            AccessLog.Of(Context).ProviderAway(e);
            throw new RequestRejectedException(ProblemMapping.Of("identity_unavailable"), e.Message);
        }
    }
}

/// <summary>The owner of a token, as Keystone knows it.</summary>
/// <param name="ProjectId">The project that the token is scoped to; empty for an unscoped one.</param>
/// <param name="Roles">Names of the user's roles in that project.</param>
internal sealed record KeystoneIdentity(
    string UserId, string UserName, string ProjectId, IReadOnlyList<string> Roles, DateTimeOffset ExpiresAt)
{
    /// <summary>Reads Keystone's description of a token.</summary>
    /// <exception cref="JsonException">It is none.</exception>
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
                token.TryGetProperty("project", out JsonElement project) ? project.GetProperty("id").GetString()! : "",
                token.TryGetProperty("roles", out JsonElement roles)
                    ? [.. roles.EnumerateArray().Select(r => r.GetProperty("name").GetString()!)]
                    : [],
                token.GetProperty("expires_at").GetDateTimeOffset());
        }
        catch (Exception e) when (e is KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new JsonException("it is no description of a token", e);
        }
    }
}
