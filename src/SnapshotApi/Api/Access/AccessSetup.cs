using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.AspNetCore.Authorization;
using Microsoft.Extensions.Options;
using SnapshotApi.Api.Nova;
using SnapshotApi.Configuration;

namespace SnapshotApi.Api.Access;

/// <summary>Registration of access: who calls, and what he may do.</summary>
internal static class AccessSetup
{
    /// <summary>Adds schemes, policies and rate limits.</summary>
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

        // What says nothing of itself, and what is at no address at all, needs a reader.
        policies.SetFallbackPolicy(new AuthorizationPolicyBuilder().RequireRole(AccessRole.Reader.Name()).Build());
        services.AddRateLimiter(limiter => limiter.AddPolicy<string, SnapshotRateLimit>(AccessPolicies.SnapshotRate));
        return services;
    }

    /// <summary>Adds the middleware; what comes after it is served to those only who may.</summary>
    public static void UseAccess(this WebApplication app)
    {
        app.UseAuthentication();
        app.UseAuthorization();
        app.UseRateLimiter();
        if (app.Services.GetRequiredService<ApiKeyTable>().IsNeeded)
        {
            foreach (string url in ListenAddress.Of(app.Configuration).Where(u => !ListenAddress.IsLocal(u) && !u.StartsWith("https:", StringComparison.OrdinalIgnoreCase)))
            {
                app.Services.GetRequiredService<AccessLog>().NoTls(url);
            }
        }
    }
}
