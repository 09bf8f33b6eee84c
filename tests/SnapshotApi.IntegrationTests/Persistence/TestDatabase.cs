using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using SnapshotApi.Configuration;
using SnapshotApi.IntegrationTests.Lab;
using SnapshotApi.Persistence;

namespace SnapshotApi.IntegrationTests.Persistence;

/// <summary>A database of its own for a test class, migrated, and dropped afterwards.</summary>
public sealed class TestDatabase : IAsyncLifetime
{
    private const string Variable = "SNAPSHOTAPI_TEST_POSTGRES";

    private readonly string _name = $"test_{Guid.NewGuid():N}";
    private string? _server;
    private string? _connectionString;
    private NpgsqlDataSource? _source;

    /// <summary>Its connection string.</summary>
    public string ConnectionString => Made(_connectionString);

    /// <summary>Connections to it.</summary>
    internal NpgsqlDataSource Source => Made(_source);

    /// <summary>Statements on it.</summary>
    internal Database Database => new(Source);

    /// <summary>The jobs in it.</summary>
    internal JobTable Jobs => new(Database);

    public async ValueTask InitializeAsync()
    {
        // A fixture can't skip: without PostgreSQL the tests do, when they first ask for something of it.
        if (!string.IsNullOrEmpty(Environment.GetEnvironmentVariable(Variable)))
        {
            await CreateEmptyAsync();
            await new DatabaseMigrator(Source, NullLogger<DatabaseMigrator>.Instance).MigrateAsync(
                CancellationToken.None);
        }
    }

    /// <summary>Only makes it; the caller migrates.</summary>
    /// <param name="options">Further words of CREATE DATABASE.</param>
    internal async Task CreateEmptyAsync(string options = "")
    {
        _server = Requires.Variable(Variable);
        await ExecuteOnServerAsync($"CREATE DATABASE {_name} {options}");
        _connectionString = new NpgsqlConnectionStringBuilder(_server) { Database = _name }.ConnectionString;
        _source = PersistenceServices.CreateDataSource(new DatabaseOptions { ConnectionString = _connectionString });
    }

    /// <summary>Reads one value.</summary>
    internal async Task<T?> ScalarAsync<T>(string sql)
    {
        await using NpgsqlCommand command = Source.CreateCommand(sql);
        return (T?)await command.ExecuteScalarAsync(TestContext.Current.CancellationToken);
    }

    /// <summary>Executes a statement.</summary>
    internal async Task ExecuteAsync(string sql)
    {
        await using NpgsqlCommand command = Source.CreateCommand(sql);
        await command.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        if (_source is not null)
        {
            await _source.DisposeAsync();
            await DropAsync();
        }
    }

    private static T Made<T>(T? part)
        where T : class
    {
        Requires.Variable(Variable);
        return part ?? throw new InvalidOperationException("the database was not made");
    }

    // An autovacuum worker that happens to be in it belongs to the superuser: FORCE may not end it, but it leaves soon.
    private async Task DropAsync()
    {
        for (int attempt = 1; ; attempt++)
        {
            try
            {
                await ExecuteOnServerAsync($"DROP DATABASE IF EXISTS {_name} WITH (FORCE)");
                return;
            }
            catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.InsufficientPrivilege && attempt < 50)
            {
                await Task.Delay(200, CancellationToken.None);
            }
        }
    }

    private async Task ExecuteOnServerAsync(string sql)
    {
        await using var connection = new NpgsqlConnection(
            new NpgsqlConnectionStringBuilder(_server) { Pooling = false }.ConnectionString);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }
}
