using System.Runtime.CompilerServices;
using Npgsql;

namespace SnapshotApi.Persistence;

/// <summary>
/// What the service needs of a database and can't make itself: UTF8, since another encoding refuses or changes names of
/// servers and images; and a session that stays its own, for LISTEN and the lock of a migration.
/// </summary>
internal static class DatabaseNeeds
{
    private const string RequiredEncoding = "UTF8";
    private const string AskEncoding = "SELECT current_database(), current_setting('server_encoding')";
    private const string AskProcess = "SELECT pg_backend_pid()";

    private const string PoolerMessage =
        "a connection pooler is in front of PostgreSQL and gives each transaction another session, and the service "
        + "needs sessions of its own: set pool_mode=session for this database in PgBouncer, or name PostgreSQL itself "
        + "in ConnectionStrings__Snapshots";

    /// <summary>Checks them on a database that answers.</summary>
    /// <exception cref="SetupException">It lacks one, and waiting does not help.</exception>
    /// <exception cref="SnapshotException">database_unavailable: it is away, or refuses the service.</exception>
    public static async Task RequireAsync(NpgsqlDataSource source, CancellationToken cancellationToken)
    {
        try
        {
            NpgsqlConnection connection = await source.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
            await using ConfiguredAsyncDisposable connectionScope = connection.ConfigureAwait(false);
            (string name, string encoding) = await AskAsync(
                connection, AskEncoding, row => (row.GetString(0), row.GetString(1)), cancellationToken)
                .ConfigureAwait(false);
            if (encoding != RequiredEncoding)
            {
                throw new SetupException(
                    $"the database '{name}' has the encoding {encoding}, and names of servers and images need "
                    + $"{RequiredEncoding}. An encoding can't be changed: make another database with 'createdb -E UTF8 "
                    + "-T template0 --locale=C.UTF-8 NAME', and name it in ConnectionStrings__Snapshots");
            }

            await RequireSessionAsync(source, connection, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (DatabaseFault.IsAway(e))
        {
            throw DatabaseFault.Translate(e);
        }
    }

    // Each process of PostgreSQL tells its own number when a session begins; a pooler tells another. Only then two
    // sessions are compared: while the other is in a transaction, the first must still be with its process.
    private static async Task RequireSessionAsync(
        NpgsqlDataSource source, NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        int process = await AskProcessAsync(connection, cancellationToken).ConfigureAwait(false);
        if (process == connection.ProcessID)
        {
            return;
        }

        NpgsqlConnection other = await source.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        await using ConfiguredAsyncDisposable otherScope = other.ConfigureAwait(false);
        try
        {
            NpgsqlTransaction transaction = await other.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
            await using ConfiguredAsyncDisposable transactionScope = transaction.ConfigureAwait(false);

            // A pool of one would never answer the first now: what it has done tells enough.
            if (await AskProcessAsync(other, cancellationToken).ConfigureAwait(false) == process
                || await AskProcessAsync(connection, cancellationToken).ConfigureAwait(false) != process)
            {
                throw new SetupException(PoolerMessage);
            }
        }
        catch (PostgresException e) when (e.MessageText.Contains("statement pooling", StringComparison.Ordinal))
        {
            throw new SetupException(PoolerMessage);
        }
    }

    private static Task<int> AskProcessAsync(NpgsqlConnection connection, CancellationToken cancellationToken) =>
        AskAsync(connection, AskProcess, row => row.GetInt32(0), cancellationToken);

    private static async Task<T> AskAsync<T>(
        NpgsqlConnection connection, string sql, Func<NpgsqlDataReader, T> map, CancellationToken cancellationToken)
    {
        IReadOnlyList<T> rows =
            await Database.ReadAsync(connection, sql, [], map, cancellationToken).ConfigureAwait(false);
        return rows[0];
    }
}
