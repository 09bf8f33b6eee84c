using NpgsqlTypes;
using SnapshotApi.Snapshots;

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

    // Told at commit, with the enqueue or after it: a worker that looks then sees the job.
    private const string NoteDelivery =
        $"UPDATE jobs SET delivery = @delivery WHERE id = @id RETURNING pg_notify('{Channels.Queue}', node)";

    private const string CancelQueued = $"""
        UPDATE jobs SET status = 'cancelled', cancel_requested = true, step = 'finished', finished_at = clock_timestamp(), error = @error
        WHERE id = @id AND status = 'queued'
        RETURNING {JobRow.Columns}
        """;

    private const string RequestCancel = $"""
        UPDATE jobs SET cancel_requested = true
        WHERE id = @id AND status = 'running' AND NOT cancel_requested
        RETURNING {JobRow.Columns}
        """;

    // A part of the request: the next run of the job, too, has it.
    private const string Limit = $"""
        UPDATE jobs SET request = jsonb_set(request, ARRAY['bandwidthBytesPerSecond'], coalesce(to_jsonb(@bytes_per_second), 'null'))
        WHERE id = @id AND status IN ('queued', 'running')
        RETURNING {JobRow.Columns}
        """;

    private const string NotifyLimit = $"SELECT pg_notify('{Channels.Limit}', @id::text)";

    private const string NotifyCancel = $"SELECT pg_notify('{Channels.Cancel}', @id::text)";

    // Events of requests, as opposed to runs, have run 0.
    private const int CancelOrdinal = 1;
    private const int FinishedOrdinal = 2;

    /// <summary>Inserts a queued job with its <c>accepted</c> event.</summary>
    /// <exception cref="Npgsql.PostgresException">Constraint <c>ux_jobs_active_server</c>: the server has an active job.</exception>
    public async Task<JobRecord> InsertAsync(
        Guid id, Guid serverId, string serverName, string node, SnapshotRequest request, CancellationToken cancellationToken)
    {
        IReadOnlyList<JobRecord> rows = await database.ReadAsync(
            Insert,
            p =>
            {
                p.AddTyped("id", NpgsqlDbType.Uuid, id);
                p.AddTyped("server_id", NpgsqlDbType.Uuid, serverId);
                p.AddTyped("server_name", NpgsqlDbType.Text, serverName);
                p.AddTyped("node", NpgsqlDbType.Text, node);
                p.AddTyped("request", NpgsqlDbType.Jsonb, RowJson.Write(request));
            },
            JobRow.Read,
            cancellationToken).ConfigureAwait(false);
        return rows[0];
    }

    /// <summary>Notes under which id Hangfire delivers the job, and wakes the workers of its node.</summary>
    public Task NoteDeliveryAsync(Guid id, string delivery, CancellationToken cancellationToken) =>
        database.ExecuteAsync(
            NoteDelivery,
            p =>
            {
                p.AddTyped("id", NpgsqlDbType.Uuid, id);
                p.AddTyped("delivery", NpgsqlDbType.Text, delivery);
            },
            cancellationToken);

    /// <summary>Makes a queued job cancelled; null when it is not queued (any more).</summary>
    public Task<JobRecord?> CancelQueuedAsync(Guid id, JobError error, CancellationToken cancellationToken) =>
        database.TransactAsync(
            async (connection, ct) =>
            {
                IReadOnlyList<JobRecord> rows = await Database.ReadAsync(
                    connection,
                    CancelQueued,
                    p =>
                    {
                        p.AddTyped("id", NpgsqlDbType.Uuid, id);
                        p.AddTyped("error", NpgsqlDbType.Jsonb, RowJson.Write(error));
                    },
                    JobRow.Read,
                    ct).ConfigureAwait(false);
                if (rows.Count == 0)
                {
                    return null;
                }

                DateTimeOffset at = rows[0].FinishedAt ?? rows[0].CreatedAt;
                await WriteEventsAsync(
                    connection,
                    id,
                    run: 0,
                    [
                        new RunEvent(CancelOrdinal, at, "cancel_requested", SnapshotStep.Pending, null, null),
                        new RunEvent(FinishedOrdinal, at, "finished", SnapshotStep.Finished, "cancelled", null),
                    ],
                    ct).ConfigureAwait(false);
                return rows[0];
            },
            cancellationToken);

    /// <summary>
    /// Asks the run of a job to stop; null when it is not running (any more), or was asked already.
    /// </summary>
    public Task<JobRecord?> RequestCancelAsync(Guid id, DateTimeOffset at, CancellationToken cancellationToken) =>
        database.TransactAsync(
            async (connection, ct) =>
            {
                IReadOnlyList<JobRecord> rows = await Database.ReadAsync(
                    connection, RequestCancel, p => p.AddTyped("id", NpgsqlDbType.Uuid, id), JobRow.Read, ct).ConfigureAwait(false);
                if (rows.Count == 0)
                {
                    return null;
                }

                var asked = new RunEvent(CancelOrdinal, at, "cancel_requested", rows[0].Step, null, null);
                await WriteEventsAsync(connection, id, run: 0, [asked], ct).ConfigureAwait(false);
                await Database.ExecuteAsync(connection, NotifyCancel, p => p.AddTyped("id", NpgsqlDbType.Uuid, id), ct).ConfigureAwait(false);
                return rows[0];
            },
            cancellationToken);

    /// <summary>Changes the bandwidth limit of a job; null when it is not queued or running (any more).</summary>
    public Task<JobRecord?> LimitAsync(Guid id, long? bytesPerSecond, CancellationToken cancellationToken) =>
        database.TransactAsync(
            async (connection, ct) =>
            {
                IReadOnlyList<JobRecord> rows = await Database.ReadAsync(
                    connection,
                    Limit,
                    p =>
                    {
                        p.AddTyped("id", NpgsqlDbType.Uuid, id);
                        p.AddTyped("bytes_per_second", NpgsqlDbType.Bigint, bytesPerSecond);
                    },
                    JobRow.Read,
                    ct).ConfigureAwait(false);
                await Database.ExecuteAsync(connection, NotifyLimit, p => p.AddTyped("id", NpgsqlDbType.Uuid, id), ct).ConfigureAwait(false);
                return rows.Count > 0 ? rows[0] : null;
            },
            cancellationToken);
}
