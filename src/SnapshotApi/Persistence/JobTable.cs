using Npgsql;
using NpgsqlTypes;
using SnapshotApi.Captures;
using SnapshotApi.Snapshots;

namespace SnapshotApi.Persistence;

/// <summary>
/// Table <c>jobs</c> with <c>job_events</c>. Every change of state is guarded by the state it comes from and, for a run, by its fence:
/// who lost either changes nothing and is told so.
/// </summary>
internal sealed partial class JobTable(Database database)
{
    private const string Find = $"SELECT {JobRow.Columns} FROM jobs WHERE id = @id";

    private const string FindActive = $"SELECT {JobRow.Columns} FROM jobs WHERE server_id = @server_id AND status IN ('queued', 'running')";

    private const string ListActive = $"SELECT {JobRow.Columns} FROM jobs WHERE status IN ('queued', 'running')";

    private const string List = $"""
        SELECT {JobRow.Columns} FROM jobs
        WHERE (@server_id IS NULL OR server_id = @server_id)
          AND (@node IS NULL OR node = @node)
          AND (cardinality(@statuses) = 0 OR status = ANY(@statuses))
          AND (@before_at IS NULL OR (created_at, id) < (@before_at, @before_id))
        ORDER BY created_at DESC, id DESC
        LIMIT @limit
        """;

    private const string ListEvents = """
        SELECT sequence, at, kind, step, message, duration_ms FROM job_events WHERE job_id = @job_id ORDER BY sequence
        """;

    /// <summary>One job; null when there is none of that id.</summary>
    public Task<JobRecord?> FindAsync(Guid id, CancellationToken cancellationToken) =>
        database.ReadFirstAsync(Find, p => p.AddTyped("id", NpgsqlDbType.Uuid, id), JobRow.Read, cancellationToken);

    /// <summary>The queued or running job of a server; null when it has none.</summary>
    public Task<JobRecord?> FindActiveAsync(Guid serverId, CancellationToken cancellationToken) =>
        database.ReadFirstAsync(FindActive, p => p.AddTyped("server_id", NpgsqlDbType.Uuid, serverId), JobRow.Read, cancellationToken);

    /// <summary>All queued and running jobs: one a server at most.</summary>
    public Task<IReadOnlyList<JobRecord>> ListActiveAsync(CancellationToken cancellationToken) =>
        database.ReadAsync(ListActive, null, JobRow.Read, cancellationToken);

    /// <summary>Jobs, newest first; at most <see cref="JobFilter.Limit"/>. The next page starts before the last job of this one.</summary>
    public Task<IReadOnlyList<JobRecord>> ListAsync(JobFilter filter, CancellationToken cancellationToken) =>
        database.ReadAsync(
            List,
            p =>
            {
                p.AddTyped("server_id", NpgsqlDbType.Uuid, filter.ServerId);
                p.AddTyped("node", NpgsqlDbType.Text, filter.Node);
                p.AddTyped("statuses", NpgsqlDbType.Array | NpgsqlDbType.Text, filter.Statuses.Select(RowJson.NameOf).ToArray());
                p.AddTyped("before_at", NpgsqlDbType.TimestampTz, filter.Before?.CreatedAt);
                p.AddTyped("before_id", NpgsqlDbType.Uuid, filter.Before?.Id);
                p.AddTyped("limit", NpgsqlDbType.Integer, filter.Limit);
            },
            JobRow.Read,
            cancellationToken);

    /// <summary>The step log of a job, oldest first; empty when there is no such job.</summary>
    public Task<IReadOnlyList<JobEvent>> ListEventsAsync(Guid jobId, CancellationToken cancellationToken) =>
        database.ReadAsync(ListEvents, p => p.AddTyped("job_id", NpgsqlDbType.Uuid, jobId), JobRow.ReadEvent, cancellationToken);
}

/// <summary>What the sweeper looks for.</summary>
internal sealed partial class JobTable
{
    private const string FindDead = $"""
        SELECT {JobRow.Columns} FROM jobs
        WHERE node = @node AND status = 'running' AND lease_expires_at < clock_timestamp()
        ORDER BY created_at
        """;

    private const string FindWaiting = """
        SELECT id, server_id, delivery FROM jobs
        WHERE node = @node AND status = 'queued' AND queued_at < clock_timestamp() - @longer_than
        ORDER BY queued_at
        """;

    private const string DeleteOldEvents = """
        DELETE FROM job_events USING jobs
        WHERE jobs.id = job_events.job_id AND job_events.at < clock_timestamp() - @retention
          AND jobs.finished_at < clock_timestamp() - @retention
        """;

    /// <summary>Running jobs of a node whose lease ended: their worker died, or could not reach the database.</summary>
    public Task<IReadOnlyList<JobRecord>> FindDeadAsync(string node, CancellationToken cancellationToken) =>
        database.ReadAsync(FindDead, p => p.AddTyped("node", NpgsqlDbType.Text, node), JobRow.Read, cancellationToken);

    /// <summary>Jobs of a node that have been queued for longer than that.</summary>
    public Task<IReadOnlyList<WaitingJob>> FindWaitingAsync(string node, TimeSpan longerThan, CancellationToken cancellationToken) =>
        database.ReadAsync(
            FindWaiting,
            p =>
            {
                p.AddTyped("node", NpgsqlDbType.Text, node);
                p.AddTyped("longer_than", NpgsqlDbType.Interval, longerThan);
            },
            r => new WaitingJob(r.Get<Guid>("id"), r.Get<Guid>("server_id"), r.NullableText("delivery")),
            cancellationToken);

    /// <summary>Deletes the step logs of jobs that ended longer ago than that; returns how many lines.</summary>
    public Task<int> DeleteOldEventsAsync(TimeSpan retention, CancellationToken cancellationToken) =>
        database.ExecuteAsync(DeleteOldEvents, p => p.AddTyped("retention", NpgsqlDbType.Interval, retention), cancellationToken);
}

/// <summary>A queued job.</summary>
/// <param name="Id">Id of the job.</param>
/// <param name="ServerId">UUID of its server.</param>
/// <param name="Delivery">Id of its delivery in Hangfire; null: it was never enqueued.</param>
internal sealed record WaitingJob(Guid Id, Guid ServerId, string? Delivery);

/// <summary>How rows of <c>jobs</c> and <c>job_events</c> become records.</summary>
internal static class JobRow
{
    /// <summary>The columns that <see cref="Read"/> reads.</summary>
    public const string Columns = """
        id, server_id, server_name, node, request::text AS request, status, step, capture, capture_reason, disks::text AS disks,
        bytes_per_second, consistency, guest_downtime_ms, downtime::text AS downtime, freeze_ms, frozen_file_systems, attempts, warnings::text AS warnings, error::text AS error,
        cancel_requested, version, fence, created_at, started_at, finished_at
        """;

    /// <summary>Reads the current row of <c>jobs</c>.</summary>
    public static JobRecord Read(NpgsqlDataReader reader) => new()
    {
        Id = reader.Get<Guid>("id"),
        ServerId = reader.Get<Guid>("server_id"),
        ServerName = reader.Get<string>("server_name"),
        Node = reader.Get<string>("node"),
        Request = RowJson.Read<SnapshotRequest>(reader.Get<string>("request")),
        Status = RowJson.Parse<JobStatus>(reader.Get<string>("status")),
        Step = RowJson.Parse<SnapshotStep>(reader.Get<string>("step")),
        Capture = reader.NullableText("capture") is { } capture ? RowJson.Parse<CaptureKind>(capture) : null,
        CaptureReason = reader.NullableText("capture_reason"),
        Disks = RowJson.Read<IReadOnlyList<JobDisk>>(reader.Get<string>("disks")),
        BytesPerSecond = reader.Nullable<long>("bytes_per_second"),
        Consistency = reader.NullableText("consistency") is { } consistency ? RowJson.Parse<Consistency>(consistency) : null,
        GuestDowntimeMs = reader.Nullable<long>("guest_downtime_ms"),
        Downtime = reader.NullableText("downtime") is { } downtime ? RowJson.Read<JobDowntime>(downtime) : null,
        FreezeMs = reader.Nullable<long>("freeze_ms"),
        FrozenFileSystems = reader.Nullable<int>("frozen_file_systems"),
        Attempts = reader.Get<int>("attempts"),
        Warnings = RowJson.Read<IReadOnlyList<string>>(reader.Get<string>("warnings")),
        Error = reader.NullableText("error") is { } error ? RowJson.Read<JobError>(error) : null,
        CancelRequested = reader.Get<bool>("cancel_requested"),
        Version = reader.Get<long>("version"),
        Fence = reader.Get<long>("fence"),
        CreatedAt = reader.Get<DateTimeOffset>("created_at"),
        StartedAt = reader.Nullable<DateTimeOffset>("started_at"),
        FinishedAt = reader.Nullable<DateTimeOffset>("finished_at"),
    };

    /// <summary>Reads the current row of <c>job_events</c>.</summary>
    public static JobEvent ReadEvent(NpgsqlDataReader reader) => new(
        reader.Get<long>("sequence"),
        reader.Get<DateTimeOffset>("at"),
        reader.Get<string>("kind"),
        RowJson.Parse<SnapshotStep>(reader.Get<string>("step")),
        reader.NullableText("message"),
        reader.Nullable<long>("duration_ms"));
}
