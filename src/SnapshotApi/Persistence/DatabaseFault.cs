using System.Net.Sockets;
using System.Transactions;
using Npgsql;
using SnapshotApi.Errors;

namespace SnapshotApi.Persistence;

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
