using Hangfire;
using Hangfire.PostgreSql;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Npgsql;
using SnapshotApi.Persistence;

namespace SnapshotApi.Jobs;

/// <summary>Registration of Hangfire: how jobs travel to their node, and no more than that.</summary>
internal static class HangfireSetup
{
    // A notification brings a job in milliseconds; this is what one that is lost costs. Each worker asks once in that time.
    private static readonly TimeSpan QueuePollInterval = TimeSpan.FromSeconds(1);

    // After a worker's death its delivery is seen again after this time; a live one renews it. Whether a job runs is decided by its
    // lease, never by this.
    private static readonly TimeSpan InvisibilityTimeout = TimeSpan.FromMinutes(1);

    /// <summary>Adds the storage and what enqueues; nothing of it talks to the database before it is used.</summary>
    public static IServiceCollection AddHangfireClient(this IServiceCollection services)
    {
        if (services.Any(s => s.ServiceType == typeof(IGlobalConfiguration)))
        {
            return services;
        }

        services.TryAddSingleton(provider => CreateStorage(provider.GetRequiredService<NpgsqlDataSource>()));
        services.TryAddSingleton<JobStorage>(provider => provider.GetRequiredService<PostgreSqlStorage>());
        services.AddHangfire((provider, configuration) => configuration
            .UseLogProvider(new HangfireLogs(provider.GetRequiredService<ILoggerFactory>()))
            .SetDataCompatibilityLevel(CompatibilityLevel.Version_180)
            .UseSimpleAssemblyNameTypeSerializer()
            .UseRecommendedSerializerSettings()
            .UseStorage(provider.GetRequiredService<PostgreSqlStorage>()));
        services.TryAddSingleton<JobEnqueuer>();
        return services;
    }

    /// <summary>Adds the server for this node's queue; <see cref="NodeAgent"/> starts and stops it.</summary>
    public static IServiceCollection AddHangfireWorker(this IServiceCollection services)
    {
        services.AddHangfireClient();
        services.TryAddSingleton<JobServer>();
        return services;
    }

    /// <summary>Makes the storage.</summary>
    public static PostgreSqlStorage CreateStorage(NpgsqlDataSource source) => new(
        new DataSourceConnections(source),
        new PostgreSqlStorageOptions
        {
            SchemaName = DatabaseMigrator.HangfireSchema,
            PrepareSchemaIfNecessary = false,
            EnableTransactionScopeEnlistment = true,

            // Not its long polling: a worker that stops to listen just when another notification comes may wait for ever, with a job in hand
            // (https://github.com/npgsql/npgsql/issues/5975). Our listener wakes the workers: see WakefulQueueProvider.
            EnableLongPolling = false,
            QueuePollInterval = QueuePollInterval,
            UseSlidingInvisibilityTimeout = true,
            InvisibilityTimeout = InvisibilityTimeout,
        });

    /// <summary>Gives Hangfire connections of our pool.</summary>
    private sealed class DataSourceConnections(NpgsqlDataSource source) : IConnectionFactory
    {
        public NpgsqlConnection GetOrCreateConnection() => source.CreateConnection();
    }
}
