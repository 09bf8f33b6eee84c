using Npgsql;
using NpgsqlTypes;

namespace SnapshotApi.Persistence;

/// <summary>What a run of a job changes: claim, lease, progress, outcome.</summary>
internal sealed partial class JobTable
{
    // A run whose lease ended without an outcome died; its next claim is another attempt.
    private const string Claim = $"""
        UPDATE jobs SET status = 'running', fence = fence + 1, attempts = attempts + 1, step = 'pending',
            lease_expires_at = clock_timestamp() + @lease, started_at = coalesce(started_at, clock_timestamp())
        WHERE id = @id AND node = @node
          AND (status = 'queued' OR (status = 'running' AND lease_expires_at < clock_timestamp() AND attempts < @max_attempts))
        RETURNING {JobRow.Columns}
        """;

    private const string RenewLease = """
        UPDATE jobs SET lease_expires_at = clock_timestamp() + @lease
        WHERE id = @id AND fence = @fence AND status = 'running'
        RETURNING cancel_requested, (request->>'bandwidthBytesPerSecond')::bigint AS bandwidth_bytes_per_second
        """;

    private const string WriteProgress = """
        UPDATE jobs SET step = @step, capture = @capture, capture_reason = @capture_reason, disks = @disks,
            bytes_per_second = @bytes_per_second, consistency = @consistency, guest_downtime_ms = @guest_downtime_ms,
            downtime = @downtime, freeze_ms = @freeze_ms, frozen_file_systems = @frozen_file_systems, warnings = @warnings
        WHERE id = @id AND fence = @fence AND status = 'running'
        """;

    private const string Finish = """
        UPDATE jobs SET status = @status, step = 'finished', bytes_per_second = NULL, lease_expires_at = NULL, error = @error,
            finished_at = greatest(@ended_at, started_at)
        WHERE id = @id AND fence = @fence AND status = 'running'
        """;

    // The fence grows, so that nothing that is left of the run can write any more.
    // A run that ended because its service was told to stop is no attempt: whoever restarts the service must not use up the job's.
    private const string Requeue = """
        UPDATE jobs SET status = 'queued', step = 'pending', fence = fence + 1, attempts = attempts - @uncounted, lease_expires_at = NULL, queued_at = clock_timestamp(),
            delivery = NULL, capture = NULL, capture_reason = NULL, disks = '[]', bytes_per_second = NULL, consistency = NULL,
            guest_downtime_ms = NULL, downtime = NULL, freeze_ms = NULL, frozen_file_systems = NULL
        WHERE id = @id AND fence = @fence AND status = 'running' AND NOT cancel_requested
        """;

    private const string AddWarning = """
        UPDATE jobs SET warnings = warnings || to_jsonb(@warning)
        WHERE id = @id AND status = 'queued' AND NOT warnings @> to_jsonb(@warning)
        """;

    // Sequence numbers are given under the lock of the job's row, which every writer of events takes first.
    private const string UpdateEvents = """
        UPDATE job_events SET duration_ms = e.duration_ms
        FROM unnest(@ordinals, @durations) AS e (ordinal, duration_ms)
        WHERE job_id = @job_id AND run = @run AND job_events.ordinal = e.ordinal AND job_events.duration_ms IS DISTINCT FROM e.duration_ms
        """;

    private const string InsertEvents = """
        INSERT INTO job_events (job_id, sequence, run, ordinal, at, kind, step, message, duration_ms)
        SELECT @job_id,
            coalesce((SELECT max(sequence) FROM job_events WHERE job_id = @job_id), 0) + row_number() OVER (ORDER BY e.ordinal),
            @run, e.ordinal, e.at, e.kind, e.step, e.message, e.duration_ms
        FROM unnest(@ordinals, @ats, @kinds, @steps, @messages, @durations) AS e (ordinal, at, kind, step, message, duration_ms)
        WHERE NOT EXISTS (SELECT FROM job_events WHERE job_id = @job_id AND run = @run AND ordinal = e.ordinal)
        """;

    /// <summary>
    /// Takes a job for a run on this node, with a new fence; null when it is not to be had: another run has it, or it is final.
    /// </summary>
    public Task<JobRecord?> ClaimAsync(
        Guid id, string node, TimeSpan lease, int maxAttempts, CancellationToken cancellationToken) =>
        database.TransactAsync(
            async (connection, ct) =>
            {
                IReadOnlyList<JobRecord> rows = await Database.ReadAsync(
                    connection,
                    Claim,
                    p =>
                    {
                        p.AddTyped("id", NpgsqlDbType.Uuid, id);
                        p.AddTyped("node", NpgsqlDbType.Text, node);
                        p.AddTyped("lease", NpgsqlDbType.Interval, lease);
                        p.AddTyped("max_attempts", NpgsqlDbType.Integer, maxAttempts);
                    },
                    JobRow.Read,
                    ct).ConfigureAwait(false);
                if (rows.Count == 0)
                {
                    return null;
                }

                DateTimeOffset now = (await Database.ReadAsync(
                    connection, "SELECT clock_timestamp()", null, r => r.GetFieldValue<DateTimeOffset>(0), ct).ConfigureAwait(false))[0];
                var claimed = new RunEvent(0, now, "claimed", rows[0].Step, $"run {rows[0].Attempts} on node {node}", null);
                await WriteEventsAsync(connection, id, rows[0].Fence, [claimed], ct).ConfigureAwait(false);
                return rows[0];
            },
            cancellationToken);

    /// <summary>Makes a run's lease longer.</summary>
    /// <returns>Whether the user asked to cancel; null when the run has lost its job.</returns>
    public async Task<JobWishes?> RenewLeaseAsync(Guid id, long fence, TimeSpan lease, CancellationToken cancellationToken)
    {
        IReadOnlyList<JobWishes> rows = await database.ReadAsync(
            RenewLease,
            p =>
            {
                p.AddTyped("id", NpgsqlDbType.Uuid, id);
                p.AddTyped("fence", NpgsqlDbType.Bigint, fence);
                p.AddTyped("lease", NpgsqlDbType.Interval, lease);
            },
            r => new JobWishes(r.Get<bool>("cancel_requested"), r.Nullable<long>("bandwidth_bytes_per_second")),
            cancellationToken).ConfigureAwait(false);
        return rows.Count > 0 ? rows[0] : null;
    }

    /// <summary>Writes how far a run is; false when it has lost its job.</summary>
    public Task<bool> WriteProgressAsync(Guid id, long fence, JobProgress progress, CancellationToken cancellationToken) =>
        database.TransactAsync(
            async (connection, ct) =>
            {
                int rows = await Database.ExecuteAsync(
                    connection, WriteProgress, p => AddProgress(p, id, fence, progress), ct).ConfigureAwait(false);
                if (rows > 0)
                {
                    await WriteEventsAsync(connection, id, fence, progress.Events, ct).ConfigureAwait(false);
                }

                return rows > 0;
            },
            cancellationToken);

    /// <summary>
    /// Delivers how a run ended, with its images, in one transaction. Delivering the same outcome again changes nothing.
    /// </summary>
    /// <returns>False when the run had lost its job: nothing was written.</returns>
    public Task<bool> DeliverAsync(JobOutcome outcome, CancellationToken cancellationToken) =>
        database.TransactAsync(
            async (connection, ct) =>
            {
                if (outcome.Progress is { } progress)
                {
                    await Database.ExecuteAsync(
                        connection, WriteProgress, p => AddProgress(p, outcome.JobId, outcome.Fence, progress), ct).ConfigureAwait(false);
                }

                int rows = outcome.Status == JobStatus.Queued
                    ? await Database.ExecuteAsync(connection, Requeue, p => AddRequeue(p, outcome), ct).ConfigureAwait(false)
                    : await Database.ExecuteAsync(connection, Finish, p => AddOutcome(p, outcome), ct).ConfigureAwait(false);
                if (rows == 0)
                {
                    return false;
                }

                await WriteEventsAsync(connection, outcome.JobId, outcome.Fence, outcome.Progress?.Events ?? [], ct).ConfigureAwait(false);
                foreach (ImageRecord image in outcome.Images)
                {
                    await ImageTable.InsertAsync(connection, image, ct).ConfigureAwait(false);
                }

                return true;
            },
            cancellationToken);

    /// <summary>Adds a warning to a queued job, once.</summary>
    public Task AddWarningAsync(Guid id, string warning, CancellationToken cancellationToken) =>
        database.ExecuteAsync(
            AddWarning,
            p =>
            {
                p.AddTyped("id", NpgsqlDbType.Uuid, id);
                p.AddTyped("warning", NpgsqlDbType.Text, warning);
            },
            cancellationToken);

    private static void AddRequeue(NpgsqlParameterCollection p, JobOutcome outcome)
    {
        AddRun(p, outcome.JobId, outcome.Fence);
        p.AddTyped("uncounted", NpgsqlDbType.Integer, outcome.IsStop ? 1 : 0);
    }

    private static void AddRun(NpgsqlParameterCollection p, Guid id, long fence)
    {
        p.AddTyped("id", NpgsqlDbType.Uuid, id);
        p.AddTyped("fence", NpgsqlDbType.Bigint, fence);
    }

    private static void AddOutcome(NpgsqlParameterCollection p, JobOutcome outcome)
    {
        AddRun(p, outcome.JobId, outcome.Fence);
        p.AddTyped("status", NpgsqlDbType.Text, RowJson.NameOf(outcome.Status));
        p.AddTyped("error", NpgsqlDbType.Jsonb, outcome.Error is { } error ? RowJson.Write(error) : null);
        p.AddTyped("ended_at", NpgsqlDbType.TimestampTz, outcome.EndedAt);
    }

    private static void AddProgress(NpgsqlParameterCollection p, Guid id, long fence, JobProgress progress)
    {
        AddRun(p, id, fence);
        p.AddTyped("step", NpgsqlDbType.Text, RowJson.NameOf(progress.Step));
        p.AddTyped("capture", NpgsqlDbType.Text, progress.Capture is { } capture ? RowJson.NameOf(capture) : null);
        p.AddTyped("capture_reason", NpgsqlDbType.Text, progress.CaptureReason);
        p.AddTyped("disks", NpgsqlDbType.Jsonb, RowJson.Write(progress.Disks));
        p.AddTyped("bytes_per_second", NpgsqlDbType.Bigint, progress.BytesPerSecond);
        p.AddTyped("consistency", NpgsqlDbType.Text, progress.Consistency is { } consistency ? RowJson.NameOf(consistency) : null);
        p.AddTyped("guest_downtime_ms", NpgsqlDbType.Bigint, progress.GuestDowntimeMs);
        p.AddTyped("downtime", NpgsqlDbType.Jsonb, progress.Downtime is { } downtime ? RowJson.Write(downtime) : null);
        p.AddTyped("freeze_ms", NpgsqlDbType.Bigint, progress.FreezeMs);
        p.AddTyped("frozen_file_systems", NpgsqlDbType.Integer, progress.FrozenFileSystems);
        p.AddTyped("warnings", NpgsqlDbType.Jsonb, RowJson.Write(progress.Warnings));
    }

    private static async Task WriteEventsAsync(
        NpgsqlConnection connection, Guid jobId, long run, IReadOnlyList<RunEvent> events, CancellationToken cancellationToken)
    {
        if (events.Count == 0)
        {
            return;
        }

        void AddNames(NpgsqlParameterCollection p)
        {
            p.AddTyped("job_id", NpgsqlDbType.Uuid, jobId);
            p.AddTyped("run", NpgsqlDbType.Bigint, run);
            p.AddTyped("ordinals", NpgsqlDbType.Array | NpgsqlDbType.Integer, events.Select(e => e.Ordinal).ToArray());
            p.AddTyped("durations", NpgsqlDbType.Array | NpgsqlDbType.Bigint, events.Select(e => e.DurationMs).ToArray());
        }

        await Database.ExecuteAsync(connection, UpdateEvents, AddNames, cancellationToken).ConfigureAwait(false);
        await Database.ExecuteAsync(
            connection,
            InsertEvents,
            p =>
            {
                AddNames(p);
                p.AddTyped("ats", NpgsqlDbType.Array | NpgsqlDbType.TimestampTz, events.Select(e => e.At).ToArray());
                p.AddTyped("kinds", NpgsqlDbType.Array | NpgsqlDbType.Text, events.Select(e => e.Kind).ToArray());
                p.AddTyped("steps", NpgsqlDbType.Array | NpgsqlDbType.Text, events.Select(e => RowJson.NameOf(e.Step)).ToArray());
                p.AddTyped("messages", NpgsqlDbType.Array | NpgsqlDbType.Text, events.Select(e => e.Message).ToArray());
            },
            cancellationToken).ConfigureAwait(false);
    }
}
