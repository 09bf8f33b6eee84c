using static SnapshotApi.Persistence.Parameter;

namespace SnapshotApi.Persistence;

/// <summary>What becomes of jobs whose node is silent or gone. Any process of the fleet may do it.</summary>
internal sealed partial class JobTable
{
    // A node that is silent may still run the job: as long as its lease is renewed, it does. Another node has the
    // server if it lives and runs it: a definition that a migration left there is none. What can be done comes first.
    private const string FindStranded = """
        SELECT jobs.id, jobs.server_id, jobs.node, jobs.status, jobs.fence, nodes.seen_at,
            extract(epoch FROM statement_timestamp() - nodes.seen_at)::float8 AS silent_seconds,
            elsewhere.node AS elsewhere
        FROM jobs LEFT JOIN nodes ON nodes.name = jobs.node
        LEFT JOIN LATERAL (
            SELECT servers.node FROM servers JOIN nodes AS other ON other.name = servers.node
            WHERE servers.id = jobs.server_id AND servers.node <> jobs.node AND other.hypervisor_connected
              AND NOT other.is_drained AND other.seen_at > statement_timestamp() - @silent
              AND servers.description->>'powerState' IN ('running', 'paused', 'suspended')
            ORDER BY servers.seen_at DESC LIMIT 1) AS elsewhere ON true
        WHERE jobs.status IN ('queued', 'running')
          AND (nodes.name IS NULL OR nodes.seen_at < statement_timestamp() - @silent)
          AND (jobs.lease_expires_at IS NULL OR jobs.lease_expires_at < statement_timestamp())
        ORDER BY nodes.name IS NOT NULL, elsewhere.node IS NULL, nodes.seen_at, jobs.created_at
        LIMIT @limit
        """;

    // The fence grows: a node that comes back is refused, and only undoes what it left.
    private const string EndStranded = """
        UPDATE jobs SET status = CASE WHEN cancel_requested THEN 'cancelled' ELSE 'failed' END, step = 'finished',
            fence = fence + 1, bytes_per_second = NULL, lease_expires_at = NULL, error = @error,
            finished_at = clock_timestamp()
        WHERE id = @id AND fence = @fence AND node = @node AND status = @status
          AND (lease_expires_at IS NULL OR lease_expires_at < clock_timestamp())
          AND NOT EXISTS (SELECT FROM nodes WHERE name = @node AND seen_at > statement_timestamp() - @silent)
        RETURNING finished_at
        """;

    private const string Reroute = """
        UPDATE jobs SET node = @to, queued_at = clock_timestamp(), delivery = NULL
        WHERE id = @id AND node = @from AND status = 'queued'
          AND NOT EXISTS (SELECT FROM nodes WHERE name = @from AND seen_at > statement_timestamp() - @silent)
        """;

    private const int StrandedLimit = 500;
    private const int RerouteOrdinal = 3;
    private const int LostOrdinal = 4;

    /// <summary>Active jobs of nodes that have been silent for that long, or are not there.</summary>
    public Task<IReadOnlyList<StrandedJob>> FindStrandedAsync(TimeSpan silent, CancellationToken cancellationToken) =>
        database.ReadAsync(
            FindStranded,
            [Interval("silent", silent), Integer("limit", StrandedLimit)],
            r => new StrandedJob(
                r.Get<Guid>("id"), r.Get<Guid>("server_id"), r.Get<string>("node"), r.Enum<JobStatus>("status"),
                r.Get<long>("fence"), r.Nullable<DateTimeOffset>("seen_at"),
                r.Nullable<double>("silent_seconds") is { } seconds ? TimeSpan.FromSeconds(seconds) : null,
                r.NullableText("elsewhere")),
            cancellationToken);

    /// <summary>Ends a job whose node is lost; false: somebody has changed it, or the node lives.</summary>
    public Task<bool> EndStrandedAsync(
        StrandedJob job, TimeSpan silent, JobError error, CancellationToken cancellationToken) =>
        database.TransactAsync(
            async (connection, ct) =>
            {
                IReadOnlyList<DateTimeOffset> ended = await Database.ReadAsync(
                    connection,
                    EndStranded,
                    [
                        .. Run(job.Id, job.Fence), Text("node", job.Node), Text("status", job.Status.ToSnakeCase()),
                        Json("error", error), Interval("silent", silent),
                    ],
                    r => r.Get<DateTimeOffset>("finished_at"),
                    ct).ConfigureAwait(false);
                if (ended.Count == 0)
                {
                    return false;
                }

                var lost = new RunEvent(LostOrdinal, ended[0], "finished", error.Step, error.Message, null);
                await WriteEventsAsync(connection, job.Id, run: 0, [lost], ct).ConfigureAwait(false);
                return true;
            },
            cancellationToken);

    /// <summary>Gives a queued job to another node. The caller enqueues it in the same transaction.</summary>
    /// <returns>False: it is not queued there any more, or the node lives.</returns>
    public Task<bool> RerouteAsync(
        Guid id, string from, string to, TimeSpan silent, CancellationToken cancellationToken) =>
        database.TransactAsync(
            async (connection, ct) =>
            {
                int rows = await Database.ExecuteAsync(
                    connection,
                    Reroute,
                    [Uuid("id", id), Text("from", from), Text("to", to), Interval("silent", silent)],
                    ct).ConfigureAwait(false);
                if (rows == 0)
                {
                    return false;
                }

                IReadOnlyList<DateTimeOffset> now = await Database.ReadAsync(
                    connection, Now, [], r => r.GetFieldValue<DateTimeOffset>(0), ct).ConfigureAwait(false);
                string message = $"the server is on node {to} now";
                var moved = new RunEvent(
                    RerouteOrdinal, now[0], "rerouted", Snapshots.SnapshotStep.Pending, message, null);
                await WriteEventsAsync(connection, id, run: 0, [moved], ct).ConfigureAwait(false);
                return true;
            },
            cancellationToken);
}

/// <summary>An active job whose node is silent.</summary>
/// <param name="SeenAt">The node's last heartbeat; null: the node is not known any more.</param>
/// <param name="SilentFor">Since the node's last heartbeat; null: the node is not known any more.</param>
/// <param name="Elsewhere">A node that lives and has the server; null: none.</param>
internal sealed record StrandedJob(
    Guid Id, Guid ServerId, string Node, JobStatus Status, long Fence, DateTimeOffset? SeenAt,
    TimeSpan? SilentFor, string? Elsewhere);
