using System.Runtime.CompilerServices;
using System.Transactions;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Npgsql;

namespace SnapshotApi.Persistence;

/// <summary>
/// Runs statements, each on a pooled connection. In a <c>TransactionScope</c> they, and Hangfire's, share a connection
/// and commit together. A database that is away is a <c>SnapshotException</c> (<c>database_unavailable</c>); any other
/// <see cref="PostgresException"/> passes.
/// </summary>
internal sealed class Database(NpgsqlDataSource source)
{
    /// <summary>Reads all rows.</summary>
    public Task<IReadOnlyList<T>> ReadAsync<T>(
        string sql, NpgsqlParameter[] parameters, Func<NpgsqlDataReader, T> map, CancellationToken cancellationToken) =>
        ConnectedAsync(c => ReadAsync(c, sql, parameters, map, cancellationToken), cancellationToken);

    /// <summary>Reads the first row; null when there is none.</summary>
    public Task<T?> ReadFirstAsync<T>(
        string sql, NpgsqlParameter[] parameters, Func<NpgsqlDataReader, T> map, CancellationToken cancellationToken)
        where T : class =>
        ConnectedAsync(c => ReadFirstAsync(c, sql, parameters, map, cancellationToken), cancellationToken);

    /// <summary>Executes one statement; returns how many rows it changed.</summary>
    public Task<int> ExecuteAsync(string sql, NpgsqlParameter[] parameters, CancellationToken cancellationToken) =>
        ConnectedAsync(c => ExecuteAsync(c, sql, parameters, cancellationToken), cancellationToken);

    /// <summary>
    /// Runs several statements in one transaction, which commits when <paramref name="work"/> returns; inside a
    /// <c>TransactionScope</c> they belong to it.
    /// </summary>
    public Task<T> TransactAsync<T>(
        Func<NpgsqlConnection, CancellationToken, Task<T>> work, CancellationToken cancellationToken) =>
        ConnectedAsync(
            async connection =>
            {
                if (Transaction.Current is not null)
                {
                    return await work(connection, cancellationToken).ConfigureAwait(false);
                }

                NpgsqlTransaction transaction =
                    await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
                await using ConfiguredAsyncDisposable transactionScope = transaction.ConfigureAwait(false);
                T result = await work(connection, cancellationToken).ConfigureAwait(false);
                await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
                return result;
            },
            cancellationToken);

    /// <summary>Reads all rows on a connection of the caller's.</summary>
    public static async Task<IReadOnlyList<T>> ReadAsync<T>(
        NpgsqlConnection connection,
        string sql,
        NpgsqlParameter[] parameters,
        Func<NpgsqlDataReader, T> map,
        CancellationToken cancellationToken)
    {
        using var command = new NpgsqlCommand(sql, connection);
        command.Parameters.AddRange(parameters);
        NpgsqlDataReader reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        await using ConfiguredAsyncDisposable readerScope = reader.ConfigureAwait(false);
        var rows = new List<T>();
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            rows.Add(map(reader));
        }

        return rows;
    }

    /// <summary>Reads the first row on a connection of the caller's; null when there is none.</summary>
    public static async Task<T?> ReadFirstAsync<T>(
        NpgsqlConnection connection,
        string sql,
        NpgsqlParameter[] parameters,
        Func<NpgsqlDataReader, T> map,
        CancellationToken cancellationToken)
        where T : class
    {
        IReadOnlyList<T> rows =
            await ReadAsync(connection, sql, parameters, map, cancellationToken).ConfigureAwait(false);
        return rows.Count > 0 ? rows[0] : null;
    }

    /// <summary>Executes one statement on a connection of the caller's; returns how many rows it changed.</summary>
    public static async Task<int> ExecuteAsync(
        NpgsqlConnection connection, string sql, NpgsqlParameter[] parameters, CancellationToken cancellationToken)
    {
        using var command = new NpgsqlCommand(sql, connection);
        command.Parameters.AddRange(parameters);
        return await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    private async Task<T> ConnectedAsync<T>(Func<NpgsqlConnection, Task<T>> work, CancellationToken cancellationToken)
    {
        try
        {
            NpgsqlConnection connection = await source.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
            await using ConfiguredAsyncDisposable connectionScope = connection.ConfigureAwait(false);
            return await work(connection).ConfigureAwait(false);
        }
        catch (Exception e) when (DatabaseFault.IsAway(e))
        {
            throw DatabaseFault.Translate(e);
        }
    }
}

/// <summary>Registers the data source, the tables, the migration at start and the process's one listener.</summary>
internal static class PersistenceServices
{
    public static IServiceCollection AddPersistence(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddOptions<DatabaseOptions>()
            .Bind(configuration.GetSection(DatabaseOptions.Section))
            .Configure(o => o.ConnectionString =
                configuration.GetConnectionString(DatabaseOptions.ConnectionName) ?? o.ConnectionString)
            .ValidateOnStart();
        services.TryAddEnumerable(
            ServiceDescriptor.Singleton<IValidateOptions<DatabaseOptions>, DatabaseOptionsValidator>());
        services.TryAddSingleton(TimeProvider.System);
        return services
            .AddSingleton(provider => CreateDataSource(provider.GetRequiredService<IOptions<DatabaseOptions>>().Value))
            .AddSingleton<Database>()
            .AddSingleton<DatabaseMigrator>()
            .AddSingleton<JobTable>()
            .AddSingleton<ServerTable>()
            .AddSingleton<NodeTable>()
            .AddSingleton<ImageTable>()
            .AddSingleton<IdempotencyTable>()
            .AddSingleton<ReservationTable>()
            .AddSingleton<UpkeepTable>()
            .AddSingleton<DatabaseListener>()
            .AddSingleton<DatabaseStartup>()
            .AddHostedService(provider => provider.GetRequiredService<DatabaseStartup>())
            .AddHostedService(provider => provider.GetRequiredService<DatabaseListener>());
    }

    /// <summary>Makes the data source; the container disposes it.</summary>
    public static NpgsqlDataSource CreateDataSource(DatabaseOptions options)
    {
        var given = new NpgsqlConnectionStringBuilder(options.ConnectionString);
        var builder = new NpgsqlDataSourceBuilder(options.ConnectionString);
        NpgsqlConnectionStringBuilder effective = builder.ConnectionStringBuilder;
        effective.ApplicationName = given.ApplicationName ?? "snapshotapi";
        effective.Timeout = given.ShouldSerialize("Timeout")
            ? given.Timeout : (int)options.ConnectTimeout.TotalSeconds;
        effective.CommandTimeout = given.ShouldSerialize("Command Timeout")
            ? given.CommandTimeout : (int)options.CommandTimeout.TotalSeconds;
        effective.MaxPoolSize = given.ShouldSerialize("Maximum Pool Size") ? given.MaxPoolSize : options.MaxPoolSize;

        // One transaction spans our statements and Hangfire's; see JobSubmitter.
        effective.Enlist = true;
        if (options.PasswordFile is { Length: > 0 } file)
        {
            builder.UsePasswordProvider(
                _ => Secret.Read(string.Empty, file)!,
                (_, _) => ValueTask.FromResult(Secret.Read(string.Empty, file)!));
        }

        return builder.Build();
    }
}
