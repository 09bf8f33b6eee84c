using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using SnapshotApi.Configuration;

namespace SnapshotApi.Jobs;

/// <summary>Registration of this folder.</summary>
internal static class JobServices
{
    /// <summary>Adds what accepts, cancels and follows jobs. Needs <c>AddPersistence</c>.</summary>
    public static IServiceCollection AddJobs(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddOptions<JobsOptions>().Bind(configuration.GetSection(JobsOptions.Section)).ValidateOnStart();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<JobsOptions>, JobsOptionsValidator>());
        services.AddHangfireClient();
        services.AddSingleton<InventoryRefresh>();
        services.AddSingleton<ServerLocator>();
        services.AddSingleton<JobSubmitter>();
        services.AddSingleton<JobCanceller>();
        services.AddSingleton<JobWaiter>();
        return services;
    }
}
