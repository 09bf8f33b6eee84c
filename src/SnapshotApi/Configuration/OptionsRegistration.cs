using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace SnapshotApi.Configuration;

/// <summary>Binds the option classes that no other folder binds itself.</summary>
internal static class OptionsRegistration
{
    /// <summary>Adds the options, checked at start.</summary>
    public static IServiceCollection AddServiceOptions(this IServiceCollection services, IConfiguration configuration)
    {
        services.Add<ServiceOptions, ServiceOptionsValidator>(configuration);
        services.Add<NodeOptions, NodeOptionsValidator>(configuration.GetSection(NodeOptions.Section));
        services.Add<StoresOptions, StoresOptionsValidator>(configuration.GetSection(StoresOptions.Section));
        services.Add<AuthOptions, AuthOptionsValidator>(configuration.GetSection(AuthOptions.Section));
        services.Add<RateLimitOptions, RateLimitOptionsValidator>(configuration.GetSection(RateLimitOptions.Section));
        services.Add<NovaOptions, NovaOptionsValidator>(configuration.GetSection(NovaOptions.Section));
        services.Add<FaultsOptions, FaultsOptionsValidator>(configuration.GetSection(FaultsOptions.Section));
        return services;
    }

    private static void Add<TOptions, TValidator>(this IServiceCollection services, IConfiguration section)
        where TOptions : class
        where TValidator : class, IValidateOptions<TOptions>
    {
        services.AddOptions<TOptions>().Bind(section).ValidateOnStart();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<TOptions>, TValidator>());
    }
}
