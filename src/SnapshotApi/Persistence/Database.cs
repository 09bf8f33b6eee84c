using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Transactions;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using Npgsql;
using SnapshotApi.Configuration;
using SnapshotApi.Errors;

namespace SnapshotApi.Persistence;

/// <summary>
/// Runs statements, each on a pooled connection of its own; inside a <c>TransactionScope</c> all of them, and Hangfire's, share one
/// connection and commit together. A database that is away is a <c>SnapshotException</c> with <c>database_unavailable</c>;
/// any other <see cref="PostgresException"/> passes.
/// </summary>
internal sealed class Database(NpgsqlDataSource source)
{
    /// <summary>Reads all rows.</summary>
    public async Task<IReadOnlyList<T>> ReadAsync<T>(
        string sql, Action<NpgsqlParameterCollection>? bind, Func<NpgsqlDataReader, T> map, CancellationToken cancellationToken)
    {
        try
        {
            NpgsqlConnection connection = await source.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
            await using ConfiguredAsyncDisposable connectionScope = connection.ConfigureAwait(false);
            return await ReadAsync(connection, sql, bind, map, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (DatabaseFault.IsAway(e))
        {
            throw DatabaseFault.Translate(e);
        }
    }

    /// <summary>Reads the first row; null when there is none.</summary>
    public async Task<T?> ReadFirstAsync<T>(
        string sql, Action<NpgsqlParameterCollection>? bind, Func<NpgsqlDataReader, T> map, CancellationToken cancellationToken)
        where T : class
    {
        IReadOnlyList<T> rows = await ReadAsync(sql, bind, map, cancellationToken).ConfigureAwait(false);
        return rows.Count > 0 ? rows[0] : null;
    }

    /// <summary>Executes one statement; returns how many rows it changed.</summary>
    public async Task<int> ExecuteAsync(string sql, Action<NpgsqlParameterCollection>? bind, CancellationToken cancellationToken)
    {
        try
        {
            NpgsqlConnection connection = await source.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
            await using ConfiguredAsyncDisposable connectionScope = connection.ConfigureAwait(false);
            return await ExecuteAsync(connection, sql, bind, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (DatabaseFault.IsAway(e))
        {
            throw DatabaseFault.Translate(e);
        }
    }

    /// <summary>
    /// Runs several statements in one transaction, which commits when <paramref name="work"/> returns; inside a
    /// <c>TransactionScope</c> they belong to it.
    /// </summary>
    public async Task<T> TransactAsync<T>(
        Func<NpgsqlConnection, CancellationToken, Task<T>> work, CancellationToken cancellationToken)
    {
        try
        {
            NpgsqlConnection connection = await source.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
            await using ConfiguredAsyncDisposable connectionScope = connection.ConfigureAwait(false);
            if (Transaction.Current is not null)
            {
                return await work(connection, cancellationToken).ConfigureAwait(false);
            }

            NpgsqlTransaction transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
            await using ConfiguredAsyncDisposable transactionScope = transaction.ConfigureAwait(false);
            T result = await work(connection, cancellationToken).ConfigureAwait(false);
            await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
            return result;
        }
        catch (Exception e) when (DatabaseFault.IsAway(e))
        {
            throw DatabaseFault.Translate(e);
        }
    }

    /// <summary>Reads all rows on a connection of the caller's.</summary>
    public static async Task<IReadOnlyList<T>> ReadAsync<T>(
        NpgsqlConnection connection,
        string sql,
        Action<NpgsqlParameterCollection>? bind,
        Func<NpgsqlDataReader, T> map,
        CancellationToken cancellationToken)
    {
        using var command = new NpgsqlCommand(sql, connection);
        bind?.Invoke(command.Parameters);
        NpgsqlDataReader reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        await using ConfiguredAsyncDisposable readerScope = reader.ConfigureAwait(false);
        var rows = new List<T>();
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            rows.Add(map(reader));
        }

        return rows;
    }

    /// <summary>Executes one statement on a connection of the caller's; returns how many rows it changed.</summary>
    public static async Task<int> ExecuteAsync(
        NpgsqlConnection connection, string sql, Action<NpgsqlParameterCollection>? bind, CancellationToken cancellationToken)
    {
        using var command = new NpgsqlCommand(sql, connection);
        bind?.Invoke(command.Parameters);
        return await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }
}

/// <summary>Tells a database that is away from a statement that failed.</summary>
internal static class DatabaseFault
{
    /// <summary>The database does not answer, or not to us: worth another try later, and not the statement's fault.</summary>
    public static bool IsAway(Exception exception) => exception switch
    {
        PostgresException e => IsAway(e.SqlState),
        NpgsqlException or SocketException or TimeoutException => true,
        TransactionException => true,
        _ => false,
    };

    /// <summary>The same for Hangfire's calls, which may wrap what happened.</summary>
    public static bool IsAwayInside(Exception? exception)
    {
        for (; exception is not null; exception = exception.InnerException)
        {
            if (IsAway(exception) || exception is SnapshotException { Code: SnapshotErrorCode.DatabaseUnavailable })
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>The form in which it leaves this layer; the cause is kept for the log.</summary>
    public static SnapshotException Translate(Exception exception) => new(
        SnapshotErrorCode.DatabaseUnavailable,
        exception is PostgresException { SqlState: PostgresErrorCodes.UndefinedTable or PostgresErrorCodes.UndefinedColumn }
            ? "the database is not migrated"
            : "the database does not answer",
        exception);

    private static bool IsAway(string sqlState) =>
        sqlState.StartsWith("08", StringComparison.Ordinal) // connection exceptions
        || sqlState.StartsWith("28", StringComparison.Ordinal) // we are not let in
        || sqlState.StartsWith("53", StringComparison.Ordinal) // out of connections, memory, disk
        || sqlState.StartsWith("57P", StringComparison.Ordinal) // shutting down, starting up, dropped
        || sqlState is PostgresErrorCodes.QueryCanceled // statement_timeout
            or PostgresErrorCodes.InvalidCatalogName
            or PostgresErrorCodes.ReadOnlySqlTransaction // a standby
            or PostgresErrorCodes.UndefinedTable // not migrated yet
            or PostgresErrorCodes.UndefinedColumn;
}

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
