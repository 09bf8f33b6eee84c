using System.Security.Claims;
using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.IdentityModel.Tokens;

namespace SnapshotApi.Api.Access;

/// <summary>How bearer tokens are checked, and what is taken from them: a name and a role.</summary>
internal static class JwtBearer
{
    // Clocks within a site differ by less. ASP.NET's default would accept an expired token for five minutes.
    private static readonly TimeSpan ClockSkew = TimeSpan.FromMinutes(1);

    // A request waits for the provider while its keys are not known yet.
    private static readonly TimeSpan ProviderTimeout = TimeSpan.FromSeconds(10);

    public static void Configure(JwtBearerOptions bearer, JwtOptions options)
    {
        var key = JwtKey.Read(options);
        bearer.MapInboundClaims = false;
        bearer.TokenValidationParameters = new TokenValidationParameters
        {
            ValidAudience = options.Audience,
            ValidIssuer = options.Issuer.Length > 0 ? options.Issuer : null,
            IssuerSigningKey = key?.Key,
            ValidAlgorithms = key?.Algorithms ?? JwtKey.PublicAlgorithms,
            ClockSkew = ClockSkew,
        };
        if (key is null)
        {
            bearer.Authority = options.Authority;
            bearer.RequireHttpsMetadata = !options.IsAuthorityLocal();
            bearer.BackchannelHttpHandler = new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false };
            bearer.BackchannelTimeout = ProviderTimeout;
        }

        bearer.Events = new JwtBearerEvents
        {
            OnMessageReceived = PrepareAsync,
            OnTokenValidated = context =>
            {
                context.Principal = CallerOf(context.Principal!, options);
                return Task.CompletedTask;
            },
        };
    }

    private static async Task PrepareAsync(MessageReceivedContext context)
    {
        context.Token = PresentedKey.Read(context.Request);
        if (context.Options.ConfigurationManager is not { } provider)
        {
            return;
        }

        try
        {
            // The handler finds it in the cache. If it asked, a provider that is away would make tokens look wrong.
            await provider.GetConfigurationAsync(context.HttpContext.RequestAborted).ConfigureAwait(false);
        }
        catch (InvalidOperationException e)
        {
            AccessLog.Of(context.HttpContext).ProviderAway(e);
            throw new RequestRejectedException(
                ProblemMapping.Of("identity_unavailable"), "the provider of tokens does not answer");
        }
    }

    private static ClaimsPrincipal CallerOf(ClaimsPrincipal token, JwtOptions options)
    {
        string name = token.FindFirst(options.NameClaim)?.Value ?? string.Empty;
        return Caller.OfToken(name, token.FindAll(options.RoleClaim).Select(c => RoleOf(c.Value, options)).Max());
    }

    private static AccessRole? RoleOf(string text, JwtOptions options) =>
        text == options.AdminRole ? AccessRole.Admin
        : text == options.OperatorRole ? AccessRole.Operator
        : text == options.ReaderRole ? AccessRole.Reader
        : null;
}
