using System.Text.Encodings.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.Extensions.Options;

namespace SnapshotApi.Api.Access;

/// <summary>Knows a caller by the key of the request; anybody where nobody is asked.</summary>
internal sealed class ApiKeyHandler(
    IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory logger, UrlEncoder encoder, ApiKeyTable keys)
    : AuthenticationHandler<AuthenticationSchemeOptions>(options, logger, encoder)
{
    protected override Task<AuthenticateResult> HandleAuthenticateAsync()
    {
        if (!keys.IsNeeded)
        {
            return Task.FromResult(AuthenticateResult.Success(new AuthenticationTicket(Caller.OfNobody(), Scheme.Name)));
        }

        // A wrong key is no failure here, which ASP.NET would log once more: who turns the caller away says what was wrong.
        return Task.FromResult(PresentedKey.Read(Request) is { } key && keys.Find(key) is { } owner
            ? AuthenticateResult.Success(new AuthenticationTicket(owner, Scheme.Name))
            : AuthenticateResult.NoResult());
    }
}
