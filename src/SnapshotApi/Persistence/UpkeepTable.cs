using static SnapshotApi.Persistence.Parameter;

namespace SnapshotApi.Persistence;

/// <summary>
/// Deletes what is too old: a batch in a transaction, so that no statement takes long whatever has gathered, and by one
/// process of the fleet at a time. The cut-off is computed once a statement, so that an index leads to it.
/// </summary>
internal sealed class UpkeepTable(Database database)
{
    /// <summary>Rows of one batch.</summary>
    public const int BatchSize = 5000;

    // The events of a job go with it, one statement a job.
    private const int JobBatchSize = 500;

    // Ends with its transaction, also behind PgBouncer. An arbitrary key, seen in pg_locks.
    private const string TryLock = "SELECT pg_try_advisory_xact_lock(x'534E415041504901'::bigint) AS is_ours";

    private const string DeleteKeys = """
        DELETE FROM idempotency_keys WHERE ctid = ANY(ARRAY(
            SELECT ctid FROM idempotency_keys WHERE created_at <= statement_timestamp() - @retention
            ORDER BY created_at LIMIT @limit))
        """;

    private const string DeleteEvents = """
        DELETE FROM job_events WHERE ctid = ANY(ARRAY(
            SELECT job_events.ctid FROM job_events JOIN jobs ON jobs.id = job_events.job_id
            WHERE job_events.at < statement_timestamp() - @retention
              AND jobs.finished_at < statement_timestamp() - @retention
            ORDER BY job_events.at LIMIT @limit))
        """;

    // A job stays as long as an image of it or its idempotency key, and as long as something is left to do for a record
    // in Glance.
    private const string DeleteJobs = """
        DELETE FROM jobs WHERE id = ANY(ARRAY(
            SELECT id FROM jobs
            WHERE finished_at < statement_timestamp() - @retention
              AND NOT EXISTS (SELECT FROM images WHERE images.job_id = jobs.id)
              AND NOT EXISTS (SELECT FROM idempotency_keys WHERE idempotency_keys.job_id = jobs.id)
              AND NOT EXISTS (SELECT FROM image_reservations WHERE image_reservations.job_id = jobs.id)
            ORDER BY finished_at LIMIT @limit))
        """;

    // Hangfire keeps failed deliveries for ever. Its own upkeep deletes what has expired.
    private const string ExpireDeliveries = $"""
        UPDATE {DatabaseMigrator.HangfireSchema}.job SET expireat = statement_timestamp() WHERE id = ANY(ARRAY(
            SELECT id FROM {DatabaseMigrator.HangfireSchema}.job
            WHERE statename = 'Failed' AND expireat IS NULL AND createdat < statement_timestamp() - @retention
            LIMIT @limit))
        """;

    /// <summary>Deletes a batch of idempotency keys that are older than that.</summary>
    public Task<UpkeepBatch> DeleteKeysAsync(TimeSpan retention, CancellationToken cancellationToken) =>
        RunAsync(DeleteKeys, retention, BatchSize, cancellationToken);

    /// <summary>Deletes a batch of the step logs of jobs that ended longer ago than that.</summary>
    public Task<UpkeepBatch> DeleteEventsAsync(TimeSpan retention, CancellationToken cancellationToken) =>
        RunAsync(DeleteEvents, retention, BatchSize, cancellationToken);

    /// <summary>Deletes a batch of jobs that ended longer ago than that and have no image any more.</summary>
    public Task<UpkeepBatch> DeleteJobsAsync(TimeSpan retention, CancellationToken cancellationToken) =>
        RunAsync(DeleteJobs, retention, JobBatchSize, cancellationToken);

    /// <summary>Lets a batch of Hangfire's failed deliveries expire that are older than that.</summary>
    public Task<UpkeepBatch> ExpireDeliveriesAsync(TimeSpan retention, CancellationToken cancellationToken) =>
        RunAsync(ExpireDeliveries, retention, BatchSize, cancellationToken);

    private Task<UpkeepBatch> RunAsync(
        string sql, TimeSpan retention, int limit, CancellationToken cancellationToken) => database.TransactAsync(
        async (connection, ct) =>
        {
            IReadOnlyList<bool> isOurs = await Database.ReadAsync(
                connection, TryLock, [], r => r.Get<bool>("is_ours"), ct).ConfigureAwait(false);
            if (!isOurs[0])
            {
                return UpkeepBatch.OfAnother;
            }

            int rows = await Database.ExecuteAsync(
                connection, sql, [Interval("retention", retention), Integer("limit", limit)], ct)
                .ConfigureAwait(false);
            return new UpkeepBatch(rows, IsLast: rows < limit);
        },
        cancellationToken);
}

/// <summary>What one batch of upkeep has done.</summary>
/// <param name="Rows">How many rows it changed.</param>
/// <param name="IsLast">Nothing is left to do, or another process is doing it.</param>
internal sealed record UpkeepBatch(int Rows, bool IsLast)
{
    public static UpkeepBatch OfAnother { get; } = new(0, IsLast: true);
}
