using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using Npgsql;
using SnapshotApi.Configuration;

namespace SnapshotApi.Persistence;

/// <summary>Registration of this folder.</summary>
internal static class PersistenceServices
{
    /// <summary>Adds the data source, the tables, the migration at start and the process's one listener.</summary>
    public static IServiceCollection AddPersistence(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddOptions<DatabaseOptions>()
            .Bind(configuration.GetSection(DatabaseOptions.Section))
            .Configure(o => o.ConnectionString = configuration.GetConnectionString(DatabaseOptions.ConnectionName) ?? o.ConnectionString)
            .ValidateOnStart();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<DatabaseOptions>, DatabaseOptionsValidator>());
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton(provider => CreateDataSource(provider.GetRequiredService<IOptions<DatabaseOptions>>().Value));
        services.AddSingleton<Database>();
        services.AddSingleton<DatabaseMigrator>();
        services.AddSingleton<JobTable>();
        services.AddSingleton<ServerTable>();
        services.AddSingleton<NodeTable>();
        services.AddSingleton<ImageTable>();
        services.AddSingleton<IdempotencyTable>();
        services.AddSingleton<ReservationTable>();
        services.AddSingleton<DatabaseListener>();
        services.AddSingleton<DatabaseStartup>();
        services.AddHostedService(provider => provider.GetRequiredService<DatabaseStartup>());
        services.AddHostedService(provider => provider.GetRequiredService<DatabaseListener>());
        return services;
    }

    /// <summary>Makes the data source; the container disposes it.</summary>
    public static NpgsqlDataSource CreateDataSource(DatabaseOptions options)
    {
        var given = new NpgsqlConnectionStringBuilder(options.ConnectionString);
        var builder = new NpgsqlDataSourceBuilder
        {
            ConnectionStringBuilder =
            {
                ConnectionString = options.ConnectionString,
            },
        };
        NpgsqlConnectionStringBuilder effective = builder.ConnectionStringBuilder;
        effective.ApplicationName = given.ApplicationName ?? "snapshotapi";
        effective.Timeout = given.ShouldSerialize("Timeout") ? given.Timeout : (int)options.ConnectTimeout.TotalSeconds;
        effective.CommandTimeout = given.ShouldSerialize("Command Timeout") ? given.CommandTimeout : (int)options.CommandTimeout.TotalSeconds;
        effective.MaxPoolSize = given.ShouldSerialize("Maximum Pool Size") ? given.MaxPoolSize : options.MaxPoolSize;

        // One transaction spans our statements and Hangfire's; see JobSubmitter.
        effective.Enlist = true;
        return builder.Build();
    }
}
