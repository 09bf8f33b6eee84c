using SnapshotApi.Persistence;

namespace SnapshotApi.IntegrationTests.Persistence;

/// <summary>What is too old goes in batches, whatever has gathered, and the rest stays.</summary>
public sealed class UpkeepTests(TestDatabase database) : IClassFixture<TestDatabase>, IAsyncLifetime
{
    private static readonly TimeSpan Retention = TimeSpan.FromDays(90);

    private readonly UpkeepTable _upkeep = new(database.Database);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() =>
        await database.ExecuteAsync("TRUNCATE jobs, job_events, images, idempotency_keys, image_reservations");

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Fact]
    public async Task Events_of_jobs_that_ended_long_ago_go_in_batches_and_no_others()
    {
        await InsertJobsAsync("old", 1200, "100 days");
        await InsertJobsAsync("new", 10, "80 days");
        await database.ExecuteAsync("""
            INSERT INTO jobs (id, server_id, server_name, node, request, status, step, lease_expires_at)
            VALUES (gen_random_uuid(), gen_random_uuid(), 'active', 'n', '{}', 'running', 'uploading', now());
            INSERT INTO job_events (job_id, sequence, run, ordinal, at, kind, step)
            SELECT id, n, 1, n, now() - interval '100 days', 'step', 'uploading'
            FROM jobs, generate_series(1, 10) AS n WHERE server_name = 'active'
            """);

        var batches = new List<UpkeepBatch>();
        do
        {
            batches.Add(await _upkeep.DeleteEventsAsync(Retention, Token));
        }
        while (!batches[^1].IsLast);

        Assert.Equal([5000, 5000, 2000], batches.Select(b => b.Rows));
        Assert.Equal(["active", "new"], await NamesAsync(
            "SELECT DISTINCT server_name FROM jobs JOIN job_events ON job_id = jobs.id ORDER BY 1"));
    }

    [Fact]
    public async Task A_job_stays_as_long_as_its_image_or_something_to_do_for_it()
    {
        await InsertJobsAsync("plain", 600, "100 days");
        await InsertJobsAsync("new", 1, "80 days");
        await InsertJobsAsync("imaged", 1, "100 days");
        await InsertJobsAsync("reserved", 1, "100 days");
        await database.ExecuteAsync("""
            INSERT INTO images (id, store, location, format, size_bytes, digest_algorithm, digest_value, name, job_id, server_id,
                server_name, node, target, virtual_size_bytes, created_at)
            SELECT gen_random_uuid(), 'directory', 'x', 'raw', 1, 'sha256', 'x', 'x', id, server_id, 'x', 'n', 'vda', 1, now()
            FROM jobs WHERE server_name = 'imaged';
            INSERT INTO image_reservations (image_id, job_id, server_id, project_id)
            SELECT gen_random_uuid(), id, server_id, 'p' FROM jobs WHERE server_name = 'reserved'
            """);

        Assert.Equal((500, false), Shown(await _upkeep.DeleteJobsAsync(Retention, Token)));
        Assert.Equal((100, true), Shown(await _upkeep.DeleteJobsAsync(Retention, Token)));
        Assert.Equal(["imaged", "new", "reserved"], await NamesAsync("SELECT server_name FROM jobs ORDER BY 1"));
    }

    [Fact]
    public async Task One_process_does_the_work_at_a_time()
    {
        await InsertJobsAsync("old", 2, "100 days");
        await using var other = await database.Source.OpenConnectionAsync(Token);
        await using var transaction = await other.BeginTransactionAsync(Token);
        await Database.ExecuteAsync(
            other, "SELECT pg_try_advisory_xact_lock(x'534E415041504901'::bigint)", [], Token);

        Assert.Equal((0, true), Shown(await _upkeep.DeleteEventsAsync(Retention, Token)));
        await transaction.RollbackAsync(Token);
        Assert.Equal((20, true), Shown(await _upkeep.DeleteEventsAsync(Retention, Token)));
    }

    [Fact]
    public async Task Keys_and_failed_deliveries_go_when_their_time_is_over()
    {
        await InsertJobsAsync("keyed", 2, "1 hour");
        await database.ExecuteAsync("""
            INSERT INTO idempotency_keys (key, body_hash, job_id, created_at)
            SELECT row_number() OVER () || '', '', id, now() - row_number() OVER () * interval '20 hours' FROM jobs;
            TRUNCATE hangfire.job CASCADE;
            INSERT INTO hangfire.job (statename, invocationdata, arguments, createdat)
            SELECT state, '{}', '[]', now() - age FROM (VALUES ('Failed', interval '100 days'), ('Failed', '80 days'), ('Enqueued', '100 days'))
                AS row (state, age)
            """);

        Assert.Equal((1, true), Shown(await _upkeep.DeleteKeysAsync(TimeSpan.FromHours(24), Token)));
        Assert.Equal((1, true), Shown(await _upkeep.ExpireDeliveriesAsync(Retention, Token)));
        Assert.Equal(1L, await database.ScalarAsync<long>("SELECT count(*) FROM hangfire.job WHERE expireat <= now()"));
    }

    private static (int Rows, bool IsLast) Shown(UpkeepBatch batch) => (batch.Rows, batch.IsLast);

    private Task InsertJobsAsync(string name, int count, string age) => database.ExecuteAsync($$"""
        INSERT INTO jobs (id, server_id, server_name, node, request, status, step, created_at, finished_at)
        SELECT gen_random_uuid(), gen_random_uuid(), '{{name}}', 'n', '{"name":"x"}', 'succeeded', 'finished',
            now() - interval '{{age}}', now() - interval '{{age}}'
        FROM generate_series(1, {{count}});
        INSERT INTO job_events (job_id, sequence, run, ordinal, at, kind, step)
        SELECT id, n, 1, n, finished_at, 'step', 'uploading' FROM jobs, generate_series(1, 10) AS n
        WHERE server_name = '{{name}}'
        """);

    private async Task<IReadOnlyList<string>> NamesAsync(string sql) =>
        await database.Database.ReadAsync(sql, [], r => r.GetString(0), Token);
}
