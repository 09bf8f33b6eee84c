using NpgsqlTypes;

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
