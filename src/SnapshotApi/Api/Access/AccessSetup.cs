using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Authorization.Policy;
using Microsoft.Net.Http.Headers;
using SnapshotApi.Api.Nova;

namespace SnapshotApi.Api.Access;

/// <summary>Registration of authentication, roles and rate limits.</summary>
internal static class AccessSetup
{
    public static IServiceCollection AddAccess(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddSingleton<ApiKeyTable>();
        services.AddSingleton<AccessLog>();
        services.AddSingleton<IAuthorizationMiddlewareResultHandler, AccessResultHandler>();
        bool hasTokens = configuration.GetSection(AuthOptions.Section).Get<AuthOptions>()?.Jwt.IsConfigured() == true;
        AuthenticationBuilder schemes = services.AddAuthentication(AccessPolicies.AnyScheme)
            .AddPolicyScheme(AccessPolicies.AnyScheme, null, any => any.ForwardDefaultSelector = context =>
                NovaRequest.Of(context) is not null ? AccessPolicies.KeystoneScheme
                : hasTokens && PresentedKey.Read(context.Request) is { } key && PresentedKey.IsToken(key)
                    ? AccessPolicies.TokenScheme
                    : AccessPolicies.KeyScheme)
            .AddScheme<AuthenticationSchemeOptions, ApiKeyHandler>(AccessPolicies.KeyScheme, null);
        if (NovaSetup.HasNova(configuration))
        {
            schemes.AddScheme<AuthenticationSchemeOptions, KeystoneHandler>(AccessPolicies.KeystoneScheme, null);
        }

        if (hasTokens)
        {
            schemes.AddJwtBearer(AccessPolicies.TokenScheme, _ => { });
            services.AddOptions<JwtBearerOptions>(AccessPolicies.TokenScheme)
                .Configure<IOptions<AuthOptions>>((bearer, auth) => JwtBearer.Configure(bearer, auth.Value.Jwt));
        }

        AuthorizationBuilder policies = services.AddAuthorizationBuilder();
        foreach (AccessRole role in Enum.GetValues<AccessRole>())
        {
            policies.AddPolicy(role.Name(), policy => policy.RequireRole(role.Name()));
        }

        // An endpoint without a policy, and an address without an endpoint, need a reader.
        policies.SetFallbackPolicy(new AuthorizationPolicyBuilder().RequireRole(AccessRole.Reader.Name()).Build());
        services.AddRateLimiter(limiter => limiter.AddPolicy<string, SnapshotRateLimit>(AccessPolicies.SnapshotRate));
        return services;
    }

    /// <summary>Adds the middleware; what comes after it is served to authorized callers only.</summary>
    public static void UseAccess(this WebApplication app)
    {
        app.UseAuthentication();
        app.UseAuthorization();
        app.UseRateLimiter();
        if (app.Services.GetRequiredService<ApiKeyTable>().IsNeeded)
        {
            foreach (string url in ListenAddress.Of(app.Configuration)
                .Where(u => !ListenAddress.IsLocal(u) && !ListenAddress.IsTls(u)))
            {
                app.Services.GetRequiredService<AccessLog>().NoTls(url);
            }
        }
    }
}

/// <summary>Names of the schemes and policies of access.</summary>
internal static class AccessPolicies
{
    /// <summary>The scheme that forwards a request to one of the others.</summary>
    public const string AnyScheme = "Any";

    public const string KeyScheme = "ApiKey";
    public const string TokenScheme = "Token";

    /// <summary>The scheme of Keystone's tokens, for Nova's API only.</summary>
    public const string KeystoneScheme = "Keystone";

    public const string SnapshotRate = "snapshots";

    /// <summary>An operation needs a role; without this it needs a reader.</summary>
    public static TBuilder Needs<TBuilder>(this TBuilder builder, AccessRole role)
        where TBuilder : IEndpointConventionBuilder => builder.RequireAuthorization(role.Name());

    /// <summary>The role that an operation needs; null when it needs none.</summary>
    public static AccessRole? RoleOf(IEnumerable<object> metadata)
    {
        object[] all = [.. metadata];
        if (all.OfType<IAllowAnonymous>().Any())
        {
            return null;
        }

        string? policy = all.OfType<IAuthorizeData>().LastOrDefault()?.Policy;
        return policy is null ? AccessRole.Reader : Enum.Parse<AccessRole>(policy, ignoreCase: true);
    }
}

/// <summary>
/// Refuses callers: 401 to one who is unknown, 403 to one without the role, as problem documents with the challenge of
/// RFC 6750. A browser at a page is challenged by HTTP Basic, so that it asks for the key.
/// </summary>
internal sealed class AccessResultHandler(AccessLog log) : IAuthorizationMiddlewareResultHandler
{
    private const string Realm = "realm=\"SnapshotApi\"";

    public Task HandleAsync(
        RequestDelegate next,
        HttpContext context,
        AuthorizationPolicy policy,
        PolicyAuthorizationResult authorizeResult) =>
        authorizeResult.Succeeded ? next(context)
        : authorizeResult.Forbidden ? ForbidAsync(context)
        : ChallengeAsync(context);

    private Task ChallengeAsync(HttpContext context)
    {
        if (NovaRequest.Of(context) is not null)
        {
            NovaOptions nova = context.RequestServices.GetRequiredService<IOptions<NovaOptions>>().Value;
            string address = nova.PublicKeystoneUrl.Length > 0 ? nova.PublicKeystoneUrl : nova.Keystone.Url;
            context.Response.Headers.WWWAuthenticate = $"Keystone uri=\"{WebAddress.WithVersion(address, "v3")}\"";
            return RefuseAsync(context, "unauthorized", "The request you have made requires authentication.");
        }

        bool isWrong = PresentedKey.Read(context.Request) is not null;
        string detail = isWrong ? "the key or token is not valid"
            : PresentedKey.IsPage(context.Request) ? "this page needs a key: as the password, with any user name"
            : $"this needs a key or token, in the header Authorization: Bearer KEY, or {PresentedKey.Header}: KEY";
        context.Response.Headers.WWWAuthenticate =
            PresentedKey.IsPage(context.Request) ? $"Basic {Realm}, charset=\"UTF-8\""
            : isWrong ? $"Bearer {Realm}, error=\"invalid_token\", error_description=\"{detail}\""
            : $"Bearer {Realm}";
        return RefuseAsync(context, "unauthorized", detail);
    }

    private Task ForbidAsync(HttpContext context)
    {
        AccessRole? needed = AccessPolicies.RoleOf(context.GetEndpoint()?.Metadata.AsEnumerable() ?? []);
        string role = (needed ?? AccessRole.Reader).Name();
        context.Response.Headers.WWWAuthenticate = $"Bearer {Realm}, error=\"insufficient_scope\", scope=\"{role}\"";
        return RefuseAsync(context, "forbidden", $"this needs the role {role}");
    }

    private Task RefuseAsync(HttpContext context, string code, string detail)
    {
        log.TurnedAway(context, code, detail);
        context.Response.Headers[HeaderNames.CacheControl] = "no-store";
        return ProblemWriter.WriteAsync(context, ProblemMapping.Of(code), detail);
    }
}

/// <summary>The log of access; keys and tokens are never logged.</summary>
internal sealed partial class AccessLog(ILogger<AccessLog> logger)
{
    public static AccessLog Of(HttpContext context) => context.RequestServices.GetRequiredService<AccessLog>();

    [LoggerMessage(1010, LogLevel.Warning, "The provider of tokens does not answer")]
    public partial void ProviderAway(Exception exception);

    /// <summary>A caller was refused. Tools such as fail2ban act on the address.</summary>
    public void TurnedAway(HttpContext context, string code, string reason)
    {
        string caller = Caller.NameOf(context.User);
        string address = context.Connection.RemoteIpAddress?.ToString() ?? "-";
        LogTurnedAway(caller, address, code, reason);
    }

    [LoggerMessage(1012, LogLevel.Warning, "Listening at {Url} without TLS: others on the network can read the keys")]
    public partial void NoTls(string url);

    [LoggerMessage(1011, LogLevel.Information, "{Caller} at {Address} was refused: {Code}: {Reason}")]
    private partial void LogTurnedAway(string caller, string address, string code, string reason);
}
