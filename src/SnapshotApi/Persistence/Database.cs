using System.Runtime.CompilerServices;
using System.Transactions;
using Npgsql;

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
