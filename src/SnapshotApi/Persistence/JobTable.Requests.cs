using SnapshotApi.Snapshots;
using static SnapshotApi.Persistence.Parameter;

namespace SnapshotApi.Persistence;

/// <summary>What a client's request changes: a new job, a cancellation, a limit.</summary>
internal sealed partial class JobTable
{
    private const string Insert = $"""
        WITH job AS (
            INSERT INTO jobs (id, server_id, server_name, node, request, status, step)
            VALUES (@id, @server_id, @server_name, @node, @request, 'queued', 'pending')
            RETURNING *
        ), event AS (
            INSERT INTO job_events (job_id, sequence, run, ordinal, at, kind, step)
            SELECT id, 1, 0, 0, created_at, 'accepted', 'pending' FROM job
        )
        SELECT {JobRow.Columns} FROM job
        """;

    // PostgreSQL notifies at commit, so that a worker that looks then sees the job.
    private const string NoteDelivery =
        $"UPDATE jobs SET delivery = @delivery WHERE id = @id RETURNING pg_notify('{Channels.Queue}', node)";

    private const string CancelQueued = $"""
        UPDATE jobs SET status = 'cancelled', cancel_requested = true, step = 'finished',
            finished_at = clock_timestamp(), error = @error
        WHERE id = @id AND status = 'queued'
        RETURNING {JobRow.Columns}
        """;

    private const string RequestCancel = $"""
        UPDATE jobs SET cancel_requested = true
        WHERE id = @id AND status = 'running' AND NOT cancel_requested
        RETURNING {JobRow.Columns}
        """;

    // The limit is part of the request, so that the job's next run has it, too.
    private const string Limit = $"""
        UPDATE jobs
        SET request = jsonb_set(
            request, ARRAY['bandwidthBytesPerSecond'], coalesce(to_jsonb(@bytes_per_second), 'null'))
        WHERE id = @id AND status IN ('queued', 'running')
        RETURNING {JobRow.Columns}
        """;

    private const string NotifyLimit = $"SELECT pg_notify('{Channels.Limit}', @id::text)";

    private const string NotifyCancel = $"SELECT pg_notify('{Channels.Cancel}', @id::text)";

    // Events of requests have run 0; those of runs have the run's fence.
    private const int CancelOrdinal = 1;
    private const int FinishedOrdinal = 2;

    /// <summary>Inserts a queued job with its <c>accepted</c> event.</summary>
    /// <exception cref="Npgsql.PostgresException"><c>ux_jobs_active_server</c>: it has an active job.</exception>
    public async Task<JobRecord> InsertAsync(
        Guid id,
        Guid serverId,
        string serverName,
        string node,
        SnapshotRequest request,
        CancellationToken cancellationToken) =>
        (await database.ReadAsync(
            Insert,
            [
                Uuid("id", id), Uuid("server_id", serverId), Text("server_name", serverName), Text("node", node),
                Json("request", request),
            ],
            JobRow.Read,
            cancellationToken).ConfigureAwait(false))[0];

    /// <summary>Notes Hangfire's id of the job's delivery, and wakes the workers of its node.</summary>
    public Task NoteDeliveryAsync(Guid id, string delivery, CancellationToken cancellationToken) =>
        database.ExecuteAsync(NoteDelivery, [Uuid("id", id), Text("delivery", delivery)], cancellationToken);

    /// <summary>Makes a queued job cancelled; null when it is not queued (any more).</summary>
    public Task<JobRecord?> CancelQueuedAsync(Guid id, JobError error, CancellationToken cancellationToken) =>
        database.TransactAsync(
            async (connection, ct) =>
            {
                JobRecord? job = await Database.ReadFirstAsync(
                    connection, CancelQueued, [Uuid("id", id), Json("error", error)], JobRow.Read, ct)
                    .ConfigureAwait(false);
                if (job is not null)
                {
                    DateTimeOffset at = job.FinishedAt ?? job.CreatedAt;
                    var asked = new RunEvent(CancelOrdinal, at, "cancel_requested", SnapshotStep.Pending, null, null);
                    var ended = new RunEvent(FinishedOrdinal, at, "finished", SnapshotStep.Finished, "cancelled", null);
                    await WriteEventsAsync(connection, id, run: 0, [asked, ended], ct).ConfigureAwait(false);
                }

                return job;
            },
            cancellationToken);

    /// <summary>Asks the run of a job to stop; null when it is not running (any more), or was asked already.</summary>
    public Task<JobRecord?> RequestCancelAsync(Guid id, DateTimeOffset at, CancellationToken cancellationToken) =>
        database.TransactAsync(
            async (connection, ct) =>
            {
                JobRecord? job = await Database.ReadFirstAsync(
                    connection, RequestCancel, [Uuid("id", id)], JobRow.Read, ct).ConfigureAwait(false);
                if (job is not null)
                {
                    var asked = new RunEvent(CancelOrdinal, at, "cancel_requested", job.Step, null, null);
                    await WriteEventsAsync(connection, id, run: 0, [asked], ct).ConfigureAwait(false);
                    await Database.ExecuteAsync(connection, NotifyCancel, [Uuid("id", id)], ct).ConfigureAwait(false);
                }

                return job;
            },
            cancellationToken);

    /// <summary>Changes the bandwidth limit of a job; null when it is not queued or running (any more).</summary>
    public Task<JobRecord?> LimitAsync(Guid id, long? bytesPerSecond, CancellationToken cancellationToken) =>
        database.TransactAsync(
            async (connection, ct) =>
            {
                JobRecord? job = await Database.ReadFirstAsync(
                    connection,
                    Limit,
                    [Uuid("id", id), Bigint("bytes_per_second", bytesPerSecond)],
                    JobRow.Read,
                    ct).ConfigureAwait(false);
                await Database.ExecuteAsync(connection, NotifyLimit, [Uuid("id", id)], ct).ConfigureAwait(false);
                return job;
            },
            cancellationToken);
}
