using Npgsql;
using NpgsqlTypes;
using static SnapshotApi.Persistence.Parameter;

namespace SnapshotApi.Persistence;

/// <summary>What a run of a job changes: claim, lease, progress, outcome.</summary>
internal sealed partial class JobTable
{
    private const string Now = "SELECT clock_timestamp()";

    // A run whose lease expired without an outcome is dead; the next claim is another attempt.
    private const string Claim = $"""
        UPDATE jobs SET status = 'running', fence = fence + 1, attempts = attempts + 1, step = 'pending',
            lease_expires_at = clock_timestamp() + @lease, started_at = coalesce(started_at, clock_timestamp())
        WHERE id = @id AND node = @node
          AND (status = 'queued'
            OR (status = 'running' AND lease_expires_at < clock_timestamp() AND attempts < @max_attempts))
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
            downtime = @downtime, freeze_ms = @freeze_ms, frozen_file_systems = @frozen_file_systems,
            warnings = @warnings
        WHERE id = @id AND fence = @fence AND status = 'running'
        """;

    private const string Finish = """
        UPDATE jobs SET status = @status, step = 'finished', bytes_per_second = NULL, lease_expires_at = NULL,
            error = @error, finished_at = greatest(@ended_at, started_at)
        WHERE id = @id AND fence = @fence AND status = 'running'
        """;

    // The fence grows, so that nothing that is left of the run can write any more. A run that ended because the service
    // stopped is no attempt: restarts must not use up the job's attempts.
    private const string Requeue = """
        UPDATE jobs SET status = 'queued', step = 'pending', fence = fence + 1, attempts = attempts - @uncounted,
            lease_expires_at = NULL, queued_at = clock_timestamp(), delivery = NULL, capture = NULL,
            capture_reason = NULL, disks = '[]', bytes_per_second = NULL, consistency = NULL, guest_downtime_ms = NULL,
            downtime = NULL, freeze_ms = NULL, frozen_file_systems = NULL
        WHERE id = @id AND fence = @fence AND status = 'running' AND NOT cancel_requested
        """;

    private const string AddWarning = """
        UPDATE jobs SET warnings = warnings || to_jsonb(@warning)
        WHERE id = @id AND status = 'queued' AND NOT warnings @> to_jsonb(@warning)
        """;

    // Every writer of events locks the job's row first, so that sequence numbers are given by one at a time.
    private const string UpdateEvents = """
        UPDATE job_events SET duration_ms = e.duration_ms
        FROM unnest(@ordinals, @durations) AS e (ordinal, duration_ms)
        WHERE job_id = @job_id AND run = @run AND job_events.ordinal = e.ordinal
          AND job_events.duration_ms IS DISTINCT FROM e.duration_ms
        """;

    private const string InsertEvents = """
        INSERT INTO job_events (job_id, sequence, run, ordinal, at, kind, step, message, duration_ms)
        SELECT @job_id,
            coalesce((SELECT max(sequence) FROM job_events WHERE job_id = @job_id), 0)
                + row_number() OVER (ORDER BY e.ordinal),
            @run, e.ordinal, e.at, e.kind, e.step, e.message, e.duration_ms
        FROM unnest(@ordinals, @ats, @kinds, @steps, @messages, @durations)
            AS e (ordinal, at, kind, step, message, duration_ms)
        WHERE NOT EXISTS (SELECT FROM job_events WHERE job_id = @job_id AND run = @run AND ordinal = e.ordinal)
        """;

    /// <summary>Claims a job for a run on this node, with a new fence; null: another has it, or it is final.</summary>
    public Task<JobRecord?> ClaimAsync(
        Guid id, string node, TimeSpan lease, int maxAttempts, CancellationToken cancellationToken) =>
        database.TransactAsync(
            async (connection, ct) =>
            {
                JobRecord? job = await Database.ReadFirstAsync(
                    connection,
                    Claim,
                    [
                        Uuid("id", id), Text("node", node), Interval("lease", lease),
                        Integer("max_attempts", maxAttempts),
                    ],
                    JobRow.Read,
                    ct).ConfigureAwait(false);
                if (job is not null)
                {
                    IReadOnlyList<DateTimeOffset> now = await Database.ReadAsync(
                        connection, Now, [], r => r.GetFieldValue<DateTimeOffset>(0), ct).ConfigureAwait(false);
                    string message = $"run {job.Attempts} on node {node}";
                    var claimed = new RunEvent(0, now[0], "claimed", job.Step, message, null);
                    await WriteEventsAsync(connection, id, job.Fence, [claimed], ct).ConfigureAwait(false);
                }

                return job;
            },
            cancellationToken);

    /// <summary>Extends the lease of a run.</summary>
    /// <returns>What the job's user wants now; null when the run has lost its job.</returns>
    public Task<JobControl?> RenewLeaseAsync(
        Guid id, long fence, TimeSpan lease, CancellationToken cancellationToken) =>
        database.ReadFirstAsync(
            RenewLease,
            [.. Run(id, fence), Interval("lease", lease)],
            r => new JobControl(r.Get<bool>("cancel_requested"), r.Nullable<long>("bandwidth_bytes_per_second")),
            cancellationToken);

    /// <summary>Writes how far a run is; false when it has lost its job.</summary>
    public Task<bool> WriteProgressAsync(
        Guid id, long fence, JobProgress progress, CancellationToken cancellationToken) =>
        database.TransactAsync(
            async (connection, ct) =>
            {
                bool isOurs = await WriteProgressAsync(connection, id, fence, progress, ct).ConfigureAwait(false) > 0;
                if (isOurs)
                {
                    await WriteEventsAsync(connection, id, fence, progress.Events, ct).ConfigureAwait(false);
                }

                return isOurs;
            },
            cancellationToken);

    /// <summary>Delivers how a run ended, with its images, in one transaction. A second time changes nothing.</summary>
    /// <returns>False when the run had lost its job: nothing was written.</returns>
    public Task<bool> DeliverAsync(JobOutcome outcome, CancellationToken cancellationToken) =>
        database.TransactAsync(
            async (connection, ct) =>
            {
                (Guid id, long fence) = (outcome.JobId, outcome.Fence);
                if (outcome.Progress is { } progress)
                {
                    await WriteProgressAsync(connection, id, fence, progress, ct).ConfigureAwait(false);
                }

                Task<int> ending = outcome.Status == JobStatus.Queued
                    ? Database.ExecuteAsync(
                        connection, Requeue, [.. Run(id, fence), Integer("uncounted", outcome.IsStop ? 1 : 0)], ct)
                    : Database.ExecuteAsync(
                        connection,
                        Finish,
                        [
                            .. Run(id, fence), Text("status", outcome.Status.ToSnakeCase()),
                            Json("error", outcome.Error), Instant("ended_at", outcome.EndedAt),
                        ],
                        ct);
                if (await ending.ConfigureAwait(false) == 0)
                {
                    return false;
                }

                await WriteEventsAsync(connection, id, fence, outcome.Progress?.Events ?? [], ct).ConfigureAwait(false);
                foreach (ImageRecord image in outcome.Images)
                {
                    await ImageTable.InsertAsync(connection, image, ct).ConfigureAwait(false);
                }

                return true;
            },
            cancellationToken);

    /// <summary>Adds a warning to a queued job, once.</summary>
    public Task AddWarningAsync(Guid id, string warning, CancellationToken cancellationToken) =>
        database.ExecuteAsync(AddWarning, [Uuid("id", id), Text("warning", warning)], cancellationToken);

    private static NpgsqlParameter[] Run(Guid id, long fence) => [Uuid("id", id), Bigint("fence", fence)];

    private static Task<int> WriteProgressAsync(
        NpgsqlConnection connection, Guid id, long fence, JobProgress progress, CancellationToken cancellationToken) =>
        Database.ExecuteAsync(
            connection,
            WriteProgress,
            [
                .. Run(id, fence), Text("step", progress.Step.ToSnakeCase()),
                Text("capture", progress.Capture?.ToSnakeCase()), Text("capture_reason", progress.CaptureReason),
                Json("disks", progress.Disks), Bigint("bytes_per_second", progress.BytesPerSecond),
                Text("consistency", progress.Consistency?.ToSnakeCase()),
                Bigint("guest_downtime_ms", progress.GuestDowntimeMs), Json("downtime", progress.Downtime),
                Bigint("freeze_ms", progress.FreezeMs), Integer("frozen_file_systems", progress.FrozenFileSystems),
                Json("warnings", progress.Warnings),
            ],
            cancellationToken);

    private static async Task WriteEventsAsync(
        NpgsqlConnection connection,
        Guid jobId,
        long run,
        IReadOnlyList<RunEvent> events,
        CancellationToken cancellationToken)
    {
        if (events.Count == 0)
        {
            return;
        }

        NpgsqlParameter[] Names() =>
        [
            Uuid("job_id", jobId),
            Bigint("run", run),
            ArrayOf("ordinals", NpgsqlDbType.Integer, events.Select(e => e.Ordinal)),
            ArrayOf("durations", NpgsqlDbType.Bigint, events.Select(e => e.DurationMs)),
        ];
        await Database.ExecuteAsync(connection, UpdateEvents, Names(), cancellationToken).ConfigureAwait(false);
        await Database.ExecuteAsync(
            connection,
            InsertEvents,
            [
                .. Names(),
                ArrayOf("ats", NpgsqlDbType.TimestampTz, events.Select(e => e.At)),
                ArrayOf("kinds", NpgsqlDbType.Text, events.Select(e => e.Kind)),
                ArrayOf("steps", NpgsqlDbType.Text, events.Select(e => e.Step.ToSnakeCase())),
                ArrayOf("messages", NpgsqlDbType.Text, events.Select(e => e.Message)),
            ],
            cancellationToken).ConfigureAwait(false);
    }
}
