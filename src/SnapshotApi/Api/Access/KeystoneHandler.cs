using System.Text.Encodings.Web;
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
