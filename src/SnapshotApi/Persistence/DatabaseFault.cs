using System.Net.Sockets;
using System.Transactions;
using Npgsql;

namespace SnapshotApi.Persistence;

/// <summary>Tells a database that is away or refuses the service from a statement that failed; says the cure.</summary>
internal static class DatabaseFault
{
    private const string Name = "ConnectionStrings__Snapshots";

    /// <summary>The database does not answer, or refuses this service: the statement may succeed later.</summary>
    public static bool IsAway(Exception exception) => exception is PostgresException e
        ? IsAway(e.SqlState)
        : exception is NpgsqlException or SocketException or TimeoutException or TransactionException;

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

    /// <summary>
    /// The exception for the layers above, in one sentence with the cure. Names of users and databases are in the cause
    /// alone, which is kept for the log.
    /// </summary>
    public static SnapshotException Translate(Exception exception)
    {
        PostgresException? refusal = Inside<PostgresException>(exception);
        return new SnapshotException(
            SnapshotErrorCode.DatabaseUnavailable,
            refusal is null ? Silence(exception) : Refusal(refusal),
            exception)
        {
            IsLasting = refusal is not null && NeedsCure(refusal.SqlState),
        };
    }

    private static string Refusal(PostgresException refusal) => refusal.SqlState switch
    {
        PostgresErrorCodes.InvalidPassword =>
            $"PostgreSQL refuses the service's user or password: correct them in {Name}, or set them by CREATE ROLE or "
            + "ALTER ROLE; waiting does not help",
        PostgresErrorCodes.InvalidAuthorizationSpecification =>
            "PostgreSQL does not let the service's user in, for the role is not there or pg_hba.conf has no line for "
            + $"it: make the role, add the line, or correct Username in {Name}; waiting does not help",
        PostgresErrorCodes.InvalidCatalogName =>
            $"PostgreSQL has no such database: make it with 'createdb -E UTF8 -T template0 -O USER NAME', or correct "
            + $"Database in {Name}; waiting does not help",
        PostgresErrorCodes.InsufficientPrivilege =>
            "the service's user lacks a right in its database: make that user its owner (ALTER DATABASE NAME OWNER TO "
            + "USER); waiting does not help",
        PostgresErrorCodes.TooManyConnections =>
            "PostgreSQL has no connection left: raise its max_connections or the limit of the role or database, or "
            + "lower Database__MaxPoolSize",
        PostgresErrorCodes.DiskFull => "PostgreSQL has no disk space left: make room for it",
        PostgresErrorCodes.ReadOnlySqlTransaction =>
            $"PostgreSQL is a standby, which takes no changes: name the primary in {Name}",
        PostgresErrorCodes.CannotConnectNow or PostgresErrorCodes.AdminShutdown or PostgresErrorCodes.CrashShutdown =>
            "PostgreSQL is starting or stopping: wait",
        PostgresErrorCodes.UndefinedTable or PostgresErrorCodes.UndefinedColumn =>
            "the database is not migrated: run 'snapshotapi --role migrate', or set Database__MigrateAtStart=true",
        PostgresErrorCodes.QueryCanceled => "PostgreSQL took longer than Database__CommandTimeout",
        _ => $"PostgreSQL refuses the service's connection with error {refusal.SqlState}: the log has its words",
    };

    private static string Silence(Exception exception) => Inside<SocketException>(exception)?.SocketErrorCode switch
    {
        SocketError.ConnectionRefused =>
            "nobody listens where the database should be: start PostgreSQL, run 'snapshotapi setup' for one of this "
            + $"host, or correct Host and Port in {Name}",
        SocketError.HostNotFound or SocketError.NoData or SocketError.TryAgain =>
            $"the name of the database's host is not known: correct Host in {Name}",
        SocketError.AccessDenied => "the service may not connect to PostgreSQL's socket: give its user access",
        SocketError.AddressNotAvailable or SocketError.InvalidArgument or SocketError.OperationNotSupported =>
            $"there is no such socket of PostgreSQL: start PostgreSQL, or correct Host in {Name}",
        _ when exception.Message.Contains("pool has been exhausted", StringComparison.Ordinal) =>
            "all connections of this process to the database are in use: raise Database__MaxPoolSize",
        _ when exception.Message.Contains("No password has been provided", StringComparison.Ordinal) =>
            "PostgreSQL wants a password and the service has none: run 'snapshotapi setup' where PostgreSQL is on this "
            + $"host, or give the password in {Name}; waiting does not help",
        _ => "the database does not answer",
    };

    private static T? Inside<T>(Exception? exception)
        where T : Exception
    {
        for (; exception is not null; exception = exception.InnerException)
        {
            if (exception is T found)
            {
                return found;
            }
        }

        return null;
    }

    private static bool NeedsCure(string sqlState) => sqlState is PostgresErrorCodes.InvalidPassword
        or PostgresErrorCodes.InvalidAuthorizationSpecification or PostgresErrorCodes.InvalidCatalogName
        or PostgresErrorCodes.InsufficientPrivilege;

    private static bool IsAway(string sqlState) =>
        sqlState.StartsWith("08", StringComparison.Ordinal) // connection exceptions
        || sqlState.StartsWith("28", StringComparison.Ordinal) // authorization
        || sqlState.StartsWith("53", StringComparison.Ordinal) // out of connections, memory, disk
        || sqlState.StartsWith("57P", StringComparison.Ordinal) // shutting down, starting up, dropped
        || sqlState is PostgresErrorCodes.QueryCanceled // statement_timeout
            or PostgresErrorCodes.InvalidCatalogName
            or PostgresErrorCodes.InsufficientPrivilege // a schema of somebody else
            or PostgresErrorCodes.ReadOnlySqlTransaction // a standby
            or PostgresErrorCodes.UndefinedTable // not migrated yet
            or PostgresErrorCodes.UndefinedColumn;
}
