using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using SnapshotApi.Configuration;
using SnapshotApi.IntegrationTests.Lab;
using SnapshotApi.Persistence;

namespace SnapshotApi.IntegrationTests.Persistence;

/// <summary>A database of its own for a test class, migrated, and dropped afterwards.</summary>
public sealed class TestDatabase : IAsyncLifetime
{
    private readonly string _name = $"test_{Guid.NewGuid():N}";
    private string? _server;

    /// <summary>Its connection string.</summary>
    public string ConnectionString { get; private set; } = string.Empty;

    /// <summary>Connections to it.</summary>
    internal NpgsqlDataSource Source { get; private set; } = null!;

    /// <summary>Statements on it.</summary>
    internal Database Database => new(Source);

    /// <summary>The jobs in it.</summary>
    internal JobTable Jobs => new(Database);

    public async ValueTask InitializeAsync()
    {
        await CreateEmptyAsync();
        await new DatabaseMigrator(Source, NullLogger<DatabaseMigrator>.Instance).MigrateAsync(CancellationToken.None);
    }

    /// <summary>Only makes it; the caller migrates.</summary>
    internal async Task CreateEmptyAsync()
    {
        _server = Requires.Postgres();
        await ExecuteOnServerAsync($"CREATE DATABASE {_name}");
        ConnectionString = new NpgsqlConnectionStringBuilder(_server) { Database = _name }.ConnectionString;
        Source = PersistenceServices.CreateDataSource(new DatabaseOptions { ConnectionString = ConnectionString });
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
        if (_server is not null)
        {
            await Source.DisposeAsync();
            await ExecuteOnServerAsync($"DROP DATABASE IF EXISTS {_name} WITH (FORCE)");
        }
    }

    private async Task ExecuteOnServerAsync(string sql)
    {
        await using var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(_server) { Pooling = false }.ConnectionString);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }
}
