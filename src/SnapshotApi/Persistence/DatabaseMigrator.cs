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

    /// <summary>Migrates what is left to do. Waits for another process that does; blocks the calling thread.</summary>
    /// <exception cref="SnapshotException">database_unavailable: it does not answer.</exception>
    /// <exception cref="UnsuitableDatabaseException">Its encoding can't hold all names.</exception>
    /// <exception cref="InvalidOperationException">A script failed and was rolled back.</exception>
    public async Task MigrateAsync(CancellationToken cancellationToken)
    {
        await DatabaseEncoding.RequireAsync(source, cancellationToken).ConfigureAwait(false);
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
            .LogTo(new MigrationLog(logger))
            .Build();
        DatabaseUpgradeResult result = engine.PerformUpgrade();
        if (!result.Successful)
        {
            if (DatabaseFault.IsAway(result.Error) && result.ErrorScript is null)
            {
                throw DatabaseFault.Translate(result.Error);
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

/// <summary>The database can't be used, and waiting does not help. The message says what to do about it.</summary>
internal sealed class UnsuitableDatabaseException(string message) : Exception(message);

/// <summary>The database must be UTF8: another encoding refuses or changes names of servers and images.</summary>
internal static class DatabaseEncoding
{
    private const string Required = "UTF8";
    private const string Ask = "SELECT current_database(), current_setting('server_encoding')";

    /// <summary>Checks the encoding of the database.</summary>
    /// <exception cref="UnsuitableDatabaseException">It is another.</exception>
    /// <exception cref="SnapshotException">database_unavailable: it does not answer.</exception>
    public static async Task RequireAsync(NpgsqlDataSource source, CancellationToken cancellationToken)
    {
        IReadOnlyList<(string Name, string Encoding)> rows = await new Database(source)
            .ReadAsync(Ask, [], row => (row.GetString(0), row.GetString(1)), cancellationToken).ConfigureAwait(false);
        if (rows[0].Encoding != Required)
        {
            throw new UnsuitableDatabaseException(
                $"the database '{rows[0].Name}' has the encoding {rows[0].Encoding}, and names of servers and images "
                + $"need {Required}. An encoding can't be changed: make another database with 'createdb -E UTF8 -T "
                + "template0 --locale=C.UTF-8 NAME', and name it in ConnectionStrings__Snapshots");
        }
    }
}
