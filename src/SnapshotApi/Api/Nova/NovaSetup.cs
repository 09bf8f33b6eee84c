using SnapshotApi.Api.Access;
using SnapshotApi.Configuration;
using SnapshotApi.Jobs;

namespace SnapshotApi.Api.Nova;

/// <summary>Registration of the face of Nova. Without a Keystone there is nothing of it.</summary>
internal static class NovaSetup
{
    /// <summary>This process has the face.</summary>
    public static bool HasNova(IConfiguration configuration) =>
        configuration.GetSection(NovaOptions.Section).Get<NovaOptions>()?.IsConfigured() == true;

    /// <summary>Adds what the face needs.</summary>
    public static IServiceCollection AddNova(this IServiceCollection services, ServiceRole role)
    {
        services.AddSingleton<KeystoneTokens>();
        services.AddSingleton<ServerOwners>();
        if (role.IsApi())
        {
            services.AddSingleton<ReservationKeeper>();
            services.AddHostedService(provider => provider.GetRequiredService<ReservationKeeper>());
        }

        return services;
    }

    /// <summary>Adds the addresses.</summary>
    public static void MapNova(this WebApplication app)
    {
        app.MapNovaDiscovery();
        RouteGroupBuilder face = app.MapGroup(NovaRequest.Prefix).AddEndpointFilter<NovaVersionFilter>().ExcludeFromDescription();
        face.MapGet("/servers", NovaServers.ListAsync);
        face.MapGet("/servers/detail", NovaServers.DetailAsync);
        face.MapGet("/servers/{id}", NovaServers.GetAsync);
        face.MapPost("/servers/{id}/action", NovaActions.ActAsync).Needs(AccessRole.Operator).RequireRateLimiting(AccessPolicies.SnapshotRate);
    }
}
