using Npgsql;
using NpgsqlTypes;
using SnapshotApi.Captures;
using SnapshotApi.Snapshots;
using static SnapshotApi.Persistence.Parameter;

namespace SnapshotApi.Persistence;

/// <summary>
/// Table <c>jobs</c> with <c>job_events</c>. A statement that changes a state is guarded by the state before and, for a
/// run, by the fence: without them it changes nothing, and its caller learns so.
/// </summary>
internal sealed partial class JobTable(Database database)
{
    private const string Find = $"SELECT {JobRow.Columns} FROM jobs WHERE id = @id";

    private const string FindMany = $"SELECT {JobRow.Columns} FROM jobs WHERE id = ANY(@ids)";

    private const string FindActive =
        $"SELECT {JobRow.Columns} FROM jobs WHERE server_id = @server_id AND status IN ('queued', 'running')";

    private const string ListActive = $"""
        SELECT {JobRow.Columns} FROM jobs WHERE server_id = ANY(@server_ids) AND status IN ('queued', 'running')
        """;

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

    private const string FindExpired = $"""
        SELECT {JobRow.Columns} FROM jobs
        WHERE node = @node AND status = 'running' AND lease_expires_at < clock_timestamp()
        ORDER BY created_at
        """;

    // Hangfire has a delivery to make, or is making it, as long as its job is enqueued or processing.
    private const string FindWaiting = $"""
        SELECT jobs.id, server_id,
            coalesce(delivery.statename IN ('Enqueued', 'Processing'), false) AS has_delivery
        FROM jobs LEFT JOIN {DatabaseMigrator.HangfireSchema}.job AS delivery ON delivery.id = jobs.delivery::bigint
        WHERE node = @node AND status = 'queued' AND queued_at < statement_timestamp() - @longer_than
        ORDER BY queued_at
        """;

    public Task<JobRecord?> FindAsync(Guid id, CancellationToken cancellationToken) =>
        database.ReadFirstAsync(Find, [Uuid("id", id)], JobRow.Read, cancellationToken);

    /// <summary>The jobs of those ids, in no order; without those that are not there.</summary>
    public Task<IReadOnlyList<JobRecord>> FindAsync(IEnumerable<Guid> ids, CancellationToken cancellationToken) =>
        database.ReadAsync(FindMany, [ArrayOf("ids", NpgsqlDbType.Uuid, ids)], JobRow.Read, cancellationToken);

    /// <summary>The queued or running job of a server; null when it has none.</summary>
    public Task<JobRecord?> FindActiveAsync(Guid serverId, CancellationToken cancellationToken) =>
        database.ReadFirstAsync(FindActive, [Uuid("server_id", serverId)], JobRow.Read, cancellationToken);

    /// <summary>The queued and running jobs of servers: at most one per server.</summary>
    public Task<IReadOnlyList<JobRecord>> ListActiveAsync(
        IEnumerable<Guid> serverIds, CancellationToken cancellationToken) => database.ReadAsync(
        ListActive, [ArrayOf("server_ids", NpgsqlDbType.Uuid, serverIds)], JobRow.Read, cancellationToken);

    /// <summary>Jobs, newest first; at most <see cref="JobFilter.Limit"/>.</summary>
    public Task<IReadOnlyList<JobRecord>> ListAsync(JobFilter filter, CancellationToken cancellationToken) =>
        database.ReadAsync(
            List,
            [
                Uuid("server_id", filter.ServerId), Text("node", filter.Node), Integer("limit", filter.Limit),
                ArrayOf("statuses", NpgsqlDbType.Text, filter.Statuses.Select(s => s.ToSnakeCase())),
                Instant("before_at", filter.Before?.CreatedAt), Uuid("before_id", filter.Before?.Id),
            ],
            JobRow.Read,
            cancellationToken);

    /// <summary>The step log of a job, oldest first; empty when there is no such job.</summary>
    public Task<IReadOnlyList<JobEvent>> ListEventsAsync(Guid jobId, CancellationToken cancellationToken) =>
        database.ReadAsync(ListEvents, [Uuid("job_id", jobId)], JobRow.ReadEvent, cancellationToken);

    /// <summary>Running jobs of a node whose lease expired: the worker died, or does not reach the database.</summary>
    public Task<IReadOnlyList<JobRecord>> FindExpiredAsync(string node, CancellationToken cancellationToken) =>
        database.ReadAsync(FindExpired, [Text("node", node)], JobRow.Read, cancellationToken);

    /// <summary>Jobs of a node that have been queued for longer than that.</summary>
    public Task<IReadOnlyList<WaitingJob>> FindWaitingAsync(
        string node, TimeSpan longerThan, CancellationToken cancellationToken) =>
        database.ReadAsync(
            FindWaiting,
            [Text("node", node), Interval("longer_than", longerThan)],
            r => new WaitingJob(r.Get<Guid>("id"), r.Get<Guid>("server_id"), r.Get<bool>("has_delivery")),
            cancellationToken);
}

/// <summary>A queued job.</summary>
/// <param name="HasDelivery">Hangfire has a delivery of it to make, or is making it.</param>
internal sealed record WaitingJob(Guid Id, Guid ServerId, bool HasDelivery);

/// <summary>How rows of <c>jobs</c> and <c>job_events</c> become records.</summary>
internal static class JobRow
{
    /// <summary>The columns that <see cref="Read"/> reads.</summary>
    public const string Columns = """
        id, server_id, server_name, node, request::text AS request, status, step, capture, capture_reason,
        disks::text AS disks, bytes_per_second, consistency, guest_downtime_ms, downtime::text AS downtime, freeze_ms,
        frozen_file_systems, attempts, warnings::text AS warnings, error::text AS error, cancel_requested, version,
        fence, created_at, started_at, finished_at
        """;

    /// <summary>Reads the current row of <c>jobs</c>.</summary>
    public static JobRecord Read(NpgsqlDataReader row) => new()
    {
        Id = row.Get<Guid>("id"),
        ServerId = row.Get<Guid>("server_id"),
        ServerName = row.Get<string>("server_name"),
        Node = row.Get<string>("node"),
        Request = row.Json<SnapshotRequest>("request"),
        Status = row.Enum<JobStatus>("status"),
        Step = row.Enum<SnapshotStep>("step"),
        Capture = row.NullableEnum<CaptureKind>("capture"),
        CaptureReason = row.NullableText("capture_reason"),
        Disks = row.Json<IReadOnlyList<JobDisk>>("disks"),
        BytesPerSecond = row.Nullable<long>("bytes_per_second"),
        Consistency = row.NullableEnum<Consistency>("consistency"),
        GuestDowntimeMs = row.Nullable<long>("guest_downtime_ms"),
        Downtime = row.NullableJson<JobDowntime>("downtime"),
        FreezeMs = row.Nullable<long>("freeze_ms"),
        FrozenFileSystems = row.Nullable<int>("frozen_file_systems"),
        Attempts = row.Get<int>("attempts"),
        Warnings = row.Json<IReadOnlyList<string>>("warnings"),
        Error = row.NullableJson<JobError>("error"),
        CancelRequested = row.Get<bool>("cancel_requested"),
        Version = row.Get<long>("version"),
        Fence = row.Get<long>("fence"),
        CreatedAt = row.Get<DateTimeOffset>("created_at"),
        StartedAt = row.Nullable<DateTimeOffset>("started_at"),
        FinishedAt = row.Nullable<DateTimeOffset>("finished_at"),
    };

    /// <summary>Reads the current row of <c>job_events</c>.</summary>
    public static JobEvent ReadEvent(NpgsqlDataReader row) => new(
        row.Get<long>("sequence"), row.Get<DateTimeOffset>("at"), row.Get<string>("kind"),
        row.Enum<SnapshotStep>("step"), row.NullableText("message"), row.Nullable<long>("duration_ms"));
}
