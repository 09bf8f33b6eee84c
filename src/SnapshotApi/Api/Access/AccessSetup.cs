using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Authorization.Policy;
using Microsoft.AspNetCore.HostFiltering;
using Microsoft.Net.Http.Headers;
using SnapshotApi.Api.Nova;

namespace SnapshotApi.Api.Access;

/// <summary>Registration of authentication, roles and rate limits.</summary>
internal static class AccessSetup
{
    public static IServiceCollection AddAccess(
        this IServiceCollection services, IConfiguration configuration, ServiceRole role)
    {
        services.AddSingleton(provider => role == ServiceRole.Migrate
            ? AdminKey.None
            : AdminKey.Open(provider.GetRequiredService<IOptions<AuthOptions>>().Value));
        services.AddSingleton<ApiKeyTable>();
        services.AddSingleton<PeerTable>();

        // RequestOrigin looks at the host: this one would refuse without a problem document, and on the socket too.
        services.PostConfigure<HostFilteringOptions>(filtering => filtering.AllowedHosts = ["*"]);
        services.AddSingleton<AccessLog>();
        services.AddSingleton<IAuthorizationMiddlewareResultHandler, AccessResultHandler>();
        bool hasTokens = configuration.GetSection(AuthOptions.Section).Get<AuthOptions>()?.Jwt.IsConfigured() == true;
        AuthenticationBuilder schemes = services.AddAuthentication(AccessPolicies.AnyScheme)
            .AddPolicyScheme(AccessPolicies.AnyScheme, null, any => any.ForwardDefaultSelector = context =>
                NovaRequest.Of(context) is not null ? AccessPolicies.KeystoneScheme
                : PresentedKey.Read(context.Request) is { } key
                    ? hasTokens && PresentedKey.IsToken(key) ? AccessPolicies.TokenScheme : AccessPolicies.KeyScheme
                : PeerTable.SocketOf(context) is not null && !PresentedKey.IsTried(context.Request)
                    ? AccessPolicies.PeerScheme
                : AccessPolicies.KeyScheme)
            .AddScheme<AuthenticationSchemeOptions, ApiKeyHandler>(AccessPolicies.KeyScheme, null)
            .AddScheme<AuthenticationSchemeOptions, PeerHandler>(AccessPolicies.PeerScheme, null);
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
        foreach (AccessRole needed in Enum.GetValues<AccessRole>())
        {
            policies.AddPolicy(needed.Name(), policy => policy.RequireRole(needed.Name()));
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
        app.SayWhoComesIn();
    }

    /// <summary>What an administrator must know at each start, and nobody is told at the door.</summary>
    private static void SayWhoComesIn(this WebApplication app)
    {
        AccessLog log = app.Services.GetRequiredService<AccessLog>();
        AuthOptions auth = app.Services.GetRequiredService<IOptions<AuthOptions>>().Value;
        AdminKey admin = app.Services.GetRequiredService<AdminKey>();
        ServiceSocket socket = app.Services.GetRequiredService<ServiceSocket>();
        if (socket.Problem is { } problem)
        {
            log.NoSocket(socket.Path, problem);
        }
        else if (socket.Remark is { } remark)
        {
            log.SocketIsNarrow(socket.Path, remark);
        }

        foreach (string lost in socket.LostUrls)
        {
            log.AddressTaken(lost);
        }

        if (admin.IsNew)
        {
            log.KeyMade(auth.AdminKeyFile);
        }
        else if (admin.Failure is { } failure)
        {
            log.KeyProblem(auth.AdminKeyFile, failure);
        }

        string[] urls = [.. ListenAddress.Of(app.Configuration)];
        if (auth.IsOpen())
        {
            log.NetworkOpen(string.Join(", ", urls.Where(u => !ListenAddress.IsUnix(u))));
            return;
        }

        foreach (string url in urls.Where(u => !ListenAddress.IsLocal(u) && !ListenAddress.IsTls(u)))
        {
            log.NoTls(url);
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

    /// <summary>The scheme of users of this host, on the socket.</summary>
    public const string PeerScheme = "Peer";

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
internal sealed class AccessResultHandler(AccessLog log, ApiKeyTable keys) : IAuthorizationMiddlewareResultHandler
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
            : keys.IsShut ? "this needs a key, and the service has none: let it write the file of Auth:AdminKeyFile "
                + "(its log says why it can't), or set Auth:ApiKeys, and start it again"
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
        if (Caller.IsPeer(context.User))
        {
            string user = Caller.NameOf(context.User);
            return RefuseAsync(
                context, "forbidden", $"{user} may not use this socket: an administrator adds {user} to its group");
        }

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

    [LoggerMessage(1013, LogLevel.Warning, "There is no socket {Path}: {Reason}")]
    public partial void NoSocket(string path, string reason);

    [LoggerMessage(1018, LogLevel.Warning, "The socket {Path} is {Remark}")]
    public partial void SocketIsNarrow(string path, string remark);

    [LoggerMessage(1019, LogLevel.Warning,
        "Another process listens at {Url}: this service does not, and works at its socket; Urls names another address")]
    public partial void AddressTaken(string url);

    [LoggerMessage(1014, LogLevel.Information, "A new key of an admin is in {Path}")]
    public partial void KeyMade(string path);

    [LoggerMessage(1015, LogLevel.Warning, "The key of an admin in {Path} {Failure}")]
    public partial void KeyProblem(string path, string failure);

    [LoggerMessage(
        1016,
        LogLevel.Warning,
        "Auth:AllowAnonymousNetwork is on: whoever reaches {Urls} is admin, and can read every guest's disk and delete "
        + "every image. Something in front must decide who gets there.")]
    public partial void NetworkOpen(string urls);

    [LoggerMessage(1017, LogLevel.Debug, "The full name of {Host} is not known: {Reason}")]
    public partial void NoFullName(string host, string reason);

    [LoggerMessage(1012, LogLevel.Warning, "Listening at {Url} without TLS: others on the network can read the keys")]
    public partial void NoTls(string url);

    [LoggerMessage(1011, LogLevel.Information, "{Caller} at {Address} was refused: {Code}: {Reason}")]
    private partial void LogTurnedAway(string caller, string address, string code, string reason);
}
