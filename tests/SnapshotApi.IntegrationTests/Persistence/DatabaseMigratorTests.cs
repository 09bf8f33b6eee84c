using Microsoft.Extensions.Logging.Abstractions;
using SnapshotApi.Configuration;
using SnapshotApi.Errors;
using SnapshotApi.IntegrationTests.Lab;
using SnapshotApi.Persistence;

namespace SnapshotApi.IntegrationTests.Persistence;

public sealed class DatabaseMigratorTests
{
    private static readonly long Migrations =
        Directory.GetFiles(Path.Combine(Shell.Repository, "migrations"), "*.sql").Length;

    [Fact]
    public async Task Four_processes_that_migrate_at_once_leave_one_schema()
    {
        await using var database = new TestDatabase();
        await database.CreateEmptyAsync();

        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() => MigrateAsync(database))));

        Assert.Equal(Migrations, await database.ScalarAsync<long>("SELECT count(*) FROM schema_versions"));
        Assert.Equal(1L, await database.ScalarAsync<long>(
            "SELECT count(*) FROM pg_class WHERE relname = 'ux_jobs_active_server'"));
        Assert.Equal(1L, await database.ScalarAsync<long>("SELECT count(*) FROM hangfire.schema"));
        Assert.Equal(0L, await database.ScalarAsync<long>(
            """
            SELECT count(*) FROM pg_locks
            WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
            """));
    }

    [Fact]
    public async Task Migrating_again_changes_nothing()
    {
        await using var database = new TestDatabase();
        await database.InitializeAsync();
        await database.ExecuteAsync("""
            INSERT INTO nodes (name, hypervisor_connected, service_version, work_free_bytes, store_free_bytes, max_jobs,
                running_jobs)
            VALUES ('a', true, '1', 0, 0, 1, 0)
            """);

        await MigrateAsync(database);

        Assert.Equal(Migrations, await database.ScalarAsync<long>("SELECT count(*) FROM schema_versions"));
        Assert.Equal(1L, await database.ScalarAsync<long>("SELECT count(*) FROM nodes"));
    }

    [Fact]
    public async Task A_script_that_fails_is_named_and_leaves_nothing_behind()
    {
        await using var database = new TestDatabase();
        await database.CreateEmptyAsync();
        await database.ExecuteAsync("CREATE TABLE images (id int)");

        InvalidOperationException error = await Assert.ThrowsAsync<InvalidOperationException>(
            () => MigrateAsync(database));

        Assert.StartsWith(
            "migration migrations/0003_create_images.sql failed", error.Message, StringComparison.Ordinal);
        Assert.Equal(2L, await database.ScalarAsync<long>("SELECT count(*) FROM schema_versions"));
    }

    [Fact]
    public async Task A_database_that_does_not_answer_is_said_to_be_unavailable()
    {
        await using var source = PersistenceServices.CreateDataSource(
            new DatabaseOptions { ConnectionString = "Host=127.0.0.1;Port=1;Database=none;Username=none" });

        var error = await Assert.ThrowsAsync<SnapshotException>(
            () => new DatabaseMigrator(source, NullLogger<DatabaseMigrator>.Instance).MigrateAsync(
                TestContext.Current.CancellationToken));

        Assert.Equal(SnapshotErrorCode.DatabaseUnavailable, error.Code);
    }

    [Fact]
    public async Task A_database_that_is_not_migrated_is_said_to_be_unavailable()
    {
        await using var database = new TestDatabase();
        await database.CreateEmptyAsync();

        var error = await Assert.ThrowsAsync<SnapshotException>(
            () => database.Jobs.FindAsync(Guid.NewGuid(), TestContext.Current.CancellationToken));

        Assert.Equal(SnapshotErrorCode.DatabaseUnavailable, error.Code);
        Assert.StartsWith("the database is not migrated: run ", error.Message, StringComparison.Ordinal);
    }

    private static Task MigrateAsync(TestDatabase database) =>
        new DatabaseMigrator(database.Source, NullLogger<DatabaseMigrator>.Instance).MigrateAsync(
            TestContext.Current.CancellationToken);
}
