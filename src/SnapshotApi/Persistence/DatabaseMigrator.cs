using System.Data;
using System.Reflection;
using System.Runtime.CompilerServices;
using DbUp;
using DbUp.Engine;
using DbUp.Engine.Output;
using DbUp.Postgresql;
using Hangfire.PostgreSql;
using Npgsql;

namespace SnapshotApi.Persistence;

/// <summary>
/// Brings the database up to date: <c>migrations/NNNN_verb_noun.sql</c> in order, then Hangfire's schema. Idempotent;
/// processes that start together take turns.
/// </summary>
internal sealed partial class DatabaseMigrator(NpgsqlDataSource source, ILogger<DatabaseMigrator> logger)
{
    /// <summary>Schema that Hangfire makes for itself.</summary>
    public const string HangfireSchema = "hangfire";

    // DbUp has no lock between processes (https://github.com/DbUp/DbUp/issues/358). An arbitrary key, seen in pg_locks.
    private const long LockKey = 0x534E_4150_4150_4900;

    private const string Lock = "SELECT pg_advisory_lock($1)";
    private const string Unlock = "SELECT pg_advisory_unlock($1)";
    private const string ScriptPrefix = "migrations/";

    // An index of millions of rows takes minutes.
    private static readonly TimeSpan LongestStatement = TimeSpan.FromHours(1);

    /// <summary>Migrates what is left to do. Waits for another process that does; blocks the calling thread.</summary>
    /// <exception cref="SnapshotException">database_unavailable: it does not answer.</exception>
    /// <exception cref="SetupException">It lacks what the service needs.</exception>
    /// <exception cref="InvalidOperationException">A script failed and was rolled back.</exception>
    public async Task MigrateAsync(CancellationToken cancellationToken)
    {
        await DatabaseNeeds.RequireAsync(source, cancellationToken).ConfigureAwait(false);
        try
        {
            NpgsqlConnection connection = await source.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
            await using ConfiguredAsyncDisposable connectionScope = connection.ConfigureAwait(false);
            await LockAsync(connection, Lock, cancellationToken).ConfigureAwait(false);
            try
            {
                int applied = Upgrade();
                PostgreSqlObjectsInstaller.Install(connection, HangfireSchema);
                LogMigrated(applied);
            }
            finally
            {
                // A lost connection has released the lock, and its own failure is the one to report.
                if (connection.State == ConnectionState.Open)
                {
                    await LockAsync(connection, Unlock, CancellationToken.None).ConfigureAwait(false);
                }
            }
        }
        catch (Exception e) when (DatabaseFault.IsAway(e))
        {
            throw DatabaseFault.Translate(e);
        }
    }

    private static async Task LockAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        using var command = new NpgsqlCommand(sql, connection) { Parameters = { new() { Value = LockKey } } };
        command.CommandTimeout = 0;
        await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    private static bool IsRefusal(Exception error) =>
        error is PostgresException { SqlState: PostgresErrorCodes.InsufficientPrivilege };

    private int Upgrade()
    {
        // Scripts hold $$ of PL/pgSQL, which DbUp would take for its variables.
        UpgradeEngine engine = DeployChanges.To
            .PostgresqlDatabase(new PostgresqlConnectionManager(source))
            .WithScriptsEmbeddedInAssembly(
                Assembly.GetExecutingAssembly(), name => name.StartsWith(ScriptPrefix, StringComparison.Ordinal))
            .JournalToPostgresqlTable(null, "schema_versions")
            .WithTransactionPerScript()
            .WithVariablesDisabled()
            .WithExecutionTimeout(LongestStatement)
            .LogTo(new MigrationLog(logger))
            .Build();
        DatabaseUpgradeResult result = engine.PerformUpgrade();
        if (!result.Successful)
        {
            if (DatabaseFault.IsAway(result.Error) && (result.ErrorScript is null || IsRefusal(result.Error)))
            {
                throw DatabaseFault.Translate(result.Error);
            }

            if (result.Error is PostgresException { SqlState: PostgresErrorCodes.LockNotAvailable })
            {
                throw new SnapshotException(
                    SnapshotErrorCode.DatabaseUnavailable,
                    $"migration {result.ErrorScript?.Name} waits for a table that another session holds", result.Error);
            }

            throw new InvalidOperationException(
                $"migration {result.ErrorScript?.Name ?? "(none)"} failed: {result.Error.Message}", result.Error);
        }

        return result.Scripts.Count();
    }

    /// <summary>DbUp's log, at the level that fits a service.</summary>
    private sealed class MigrationLog(ILogger logger) : IUpgradeLog
    {
        public void LogTrace(string format, params object[] args) => Write(LogLevel.Trace, null, format, args);
        public void LogDebug(string format, params object[] args) => Write(LogLevel.Debug, null, format, args);
        public void LogInformation(string format, params object[] args) => Write(LogLevel.Debug, null, format, args);
        public void LogWarning(string format, params object[] args) => Write(LogLevel.Warning, null, format, args);
        public void LogError(string format, params object[] args) => Write(LogLevel.Error, null, format, args);
        public void LogError(Exception ex, string format, params object[] args) =>
            Write(LogLevel.Error, ex, format, args);

        private void Write(LogLevel level, Exception? exception, string format, object[] args) => LogScript(
            logger,
            level,
            exception,
            args.Length == 0 ? format : string.Format(CultureInfo.InvariantCulture, format, args));
    }

    [LoggerMessage(5010, LogLevel.Information, "Database is up to date; {Applied} migrations were applied")]
    private partial void LogMigrated(int applied);

    [LoggerMessage(EventId = 5011, Message = "Migration: {Text}")]
    private static partial void LogScript(ILogger logger, LogLevel level, Exception? exception, string text);
}
