using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using SnapshotApi.Configuration;
using SnapshotApi.Journal;

namespace SnapshotApi.Jobs;

/// <summary>Registration of this folder.</summary>
internal static class JobServices
{
    private static readonly TimeSpan ShutdownTimeout = TimeSpan.FromMinutes(2);

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
        services.AddSingleton<JobLimiter>();
        services.AddSingleton<JobWaiter>();
        return services;
    }

    /// <summary>
    /// Adds what runs the jobs of this node. Needs <see cref="AddJobs"/>, and of others: <c>IHypervisor</c>, <c>ISnapshotPipeline</c>,
    /// <c>IUndoExecutor</c>.
    /// </summary>
    public static IServiceCollection AddNodeWorker(this IServiceCollection services)
    {
        services.TryAddSingleton<IFaultPoint>(NoFaults.Instance);
        services.AddSingleton<NodeDirectories>();
        services.AddSingleton<LiveRuns>();
        services.AddSingleton<OutcomeDelivery>();
        services.AddSingleton<JournalRecovery>();
        services.AddSingleton<ServerProblems>();
        services.AddSingleton<JobLease>();
        services.AddSingleton<ProgressWriter>();
        services.AddTransient<JobExecution>();
        services.AddTransient<SnapshotJobRunner>();
        services.AddSingleton<NodeHeartbeat>();
        services.AddSingleton<InventoryPublisher>();
        services.AddSingleton<JobSweeper>();
        services.AddHangfireWorker();
        services.AddSingleton<NodeAgent>();
        services.AddHostedService(provider => provider.GetRequiredService<NodeAgent>());

        // Undoing a cold capture starts a guest from its saved memory; 30 s, the default, may be too short for that.
        services.Configure<HostOptions>(o => o.ShutdownTimeout = ShutdownTimeout);
        return services;
    }
}
