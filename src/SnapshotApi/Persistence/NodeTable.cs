using Npgsql;
using SnapshotApi.Captures;
using SnapshotApi.Hypervisor;
using static SnapshotApi.Persistence.Parameter;

namespace SnapshotApi.Persistence;

/// <summary>Table <c>nodes</c>: the last heartbeat of each node.</summary>
internal sealed class NodeTable(Database database)
{
    private const string Columns = """
        name, capabilities::text AS capabilities, hypervisor_connected, service_version, work_free_bytes,
        store_free_bytes, max_jobs, running_jobs, problems::text AS problems, seen_at,
        capture_check::text AS capture_check, is_drained
        """;

    private const string List = $"SELECT {Columns} FROM nodes ORDER BY name";

    private const string Find = $"SELECT {Columns} FROM nodes WHERE name = @name";

    private const string Ask = $"SELECT pg_notify('{Channels.Check}', @name)";

    // The database's clock tells ages, so that the clocks of hosts need not agree.
    private const string ListAlive =
        $"SELECT {Columns} FROM nodes WHERE seen_at > clock_timestamp() - @within ORDER BY name";

    private const string ListAble = """
        SELECT name FROM nodes WHERE hypervisor_connected AND seen_at > clock_timestamp() - @within
        """;

    private const string FindAlive = $"""
        SELECT {Columns} FROM nodes WHERE name = @name AND seen_at > clock_timestamp() - @within
        """;

    private const string Drain = $"UPDATE nodes SET is_drained = @is_drained WHERE name = @name RETURNING {Columns}";

    private const string Delete = "DELETE FROM nodes WHERE name = @name AND seen_at <= clock_timestamp() - @within";

    private const string AskNothing = "SELECT FROM nodes LIMIT 1";

    private const string Upsert = """
        INSERT INTO nodes (name, capabilities, hypervisor_connected, service_version, work_free_bytes, store_free_bytes,
            max_jobs, running_jobs, problems, capture_check, seen_at, inventory_at,
            host_id)
        VALUES (@name, @capabilities, @hypervisor_connected, @service_version, @work_free_bytes, @store_free_bytes,
            @max_jobs, @running_jobs, @problems, @capture_check, clock_timestamp(),
            clock_timestamp() - @inventory_age, @host_id)
        ON CONFLICT (name) DO UPDATE SET capabilities = coalesce(EXCLUDED.capabilities, nodes.capabilities),
            hypervisor_connected = EXCLUDED.hypervisor_connected, service_version = EXCLUDED.service_version,
            work_free_bytes = EXCLUDED.work_free_bytes, store_free_bytes = EXCLUDED.store_free_bytes,
            max_jobs = EXCLUDED.max_jobs, running_jobs = EXCLUDED.running_jobs, problems = EXCLUDED.problems,
            capture_check = EXCLUDED.capture_check, seen_at = EXCLUDED.seen_at,
            inventory_at = coalesce(EXCLUDED.inventory_at, nodes.inventory_at), host_id = EXCLUDED.host_id
        WHERE nodes.host_id IS NULL OR nodes.host_id = EXCLUDED.host_id
           OR nodes.seen_at < clock_timestamp() - @dead_after
        RETURNING xmax = 0 AS is_new
        """;

    /// <summary>Every node that ever sent a heartbeat, by name.</summary>
    public Task<IReadOnlyList<NodeRecord>> ListAsync(CancellationToken cancellationToken) =>
        database.ReadAsync(List, [], Read, cancellationToken);

    /// <summary>The nodes that sent a heartbeat within that time.</summary>
    public Task<IReadOnlyList<NodeRecord>> ListAliveAsync(TimeSpan within, CancellationToken cancellationToken) =>
        database.ReadAsync(ListAlive, [Interval("within", within)], Read, cancellationToken);

    /// <summary>Names of the nodes that sent a heartbeat within that time, and whose libvirt answers.</summary>
    public Task<IReadOnlyList<string>> ListAbleAsync(TimeSpan within, CancellationToken cancellationToken) =>
        database.ReadAsync(
            ListAble, [Interval("within", within)], r => r.Get<string>("name"), cancellationToken);

    /// <summary>A node by its name; null: there has never been one.</summary>
    public Task<NodeRecord?> FindAsync(string name, CancellationToken cancellationToken) =>
        database.ReadFirstAsync(Find, [Text("name", name)], Read, cancellationToken);

    /// <summary>Asks a node to prove its captures; one that is not there does not hear it.</summary>
    public Task AskForCheckAsync(string name, CancellationToken cancellationToken) =>
        database.ExecuteAsync(Ask, [Text("name", name)], cancellationToken);

    /// <summary>A node that sent a heartbeat within that time; null: it did not.</summary>
    public Task<NodeRecord?> FindAliveAsync(string name, TimeSpan within, CancellationToken cancellationToken) =>
        database.ReadFirstAsync(FindAlive, [Text("name", name), Interval("within", within)], Read, cancellationToken);

    /// <summary>Returns when the database answers, and is migrated.</summary>
    /// <exception cref="SnapshotException">database_unavailable.</exception>
    public Task AskAsync(CancellationToken cancellationToken) =>
        database.ExecuteAsync(AskNothing, [], cancellationToken);

    /// <summary>Publishes a node's heartbeat; the database sets <see cref="NodeRecord.SeenAt"/>.</summary>
    /// <param name="deadAfter">The age of a heartbeat at which another host may take the name.</param>
    /// <returns>
    /// True: there was no row of the node, and so there is none of its servers. Null: another host has the name.
    /// </returns>
    public async Task<bool?> PublishAsync(NodeRecord node, TimeSpan deadAfter, CancellationToken cancellationToken)
    {
        IReadOnlyList<bool> written = await database.ReadAsync(
            Upsert,
            [
                Text("name", node.Name), Json("capabilities", node.Capabilities),
                Bool("hypervisor_connected", node.HypervisorConnected), Text("service_version", node.ServiceVersion),
                Bigint("work_free_bytes", node.WorkFreeBytes), Bigint("store_free_bytes", node.StoreFreeBytes),
                Integer("max_jobs", node.MaxJobs), Integer("running_jobs", node.RunningJobs),
                Json("problems", node.Problems), Json("capture_check", node.Check),
                Interval("inventory_age", node.InventoryAge), Text("host_id", node.HostId),
                Interval("dead_after", deadAfter),
            ],
            r => r.Get<bool>("is_new"),
            cancellationToken).ConfigureAwait(false);
        return written.Count > 0 ? written[0] : null;
    }

    /// <summary>Accepts no more jobs for a node, or does so again; null: there is none of that name.</summary>
    public Task<NodeRecord?> DrainAsync(string name, bool isDrained, CancellationToken cancellationToken) =>
        database.ReadFirstAsync(Drain, [Text("name", name), Bool("is_drained", isDrained)], Read, cancellationToken);

    /// <summary>Forgets a node that sent no heartbeat within that time, and its servers.</summary>
    /// <returns>False: it lives, or is not there.</returns>
    public async Task<bool> DeleteAsync(string name, TimeSpan within, CancellationToken cancellationToken) =>
        await database.ExecuteAsync(Delete, [Text("name", name), Interval("within", within)], cancellationToken)
            .ConfigureAwait(false) > 0;

    private static NodeRecord Read(NpgsqlDataReader row) => new(
        row.Get<string>("name"), row.NullableJson<NodeCapabilities>("capabilities"),
        row.Get<bool>("hypervisor_connected"), row.Get<string>("service_version"), row.Get<long>("work_free_bytes"),
        row.Get<long>("store_free_bytes"), row.Get<int>("max_jobs"), row.Get<int>("running_jobs"),
        row.Json<IReadOnlyList<string>>("problems"), row.Get<DateTimeOffset>("seen_at"))
    {
        Check = row.NullableJson<NodeCheck>("capture_check"),
        IsDrained = row.Get<bool>("is_drained"),
    };
}

/// <summary>One row of <c>nodes</c>.</summary>
/// <param name="Capabilities">Versions and what they allow; null before libvirt first answered.</param>
/// <param name="HypervisorConnected">libvirt answered at the last look.</param>
/// <param name="WorkFreeBytes">Free bytes in the work directory.</param>
/// <param name="StoreFreeBytes">Free bytes in the directory store.</param>
/// <param name="MaxJobs">How many jobs it runs at once.</param>
/// <param name="Problems">What an operator should see to: clean-up that could not be done yet.</param>
/// <param name="SeenAt">When its last heartbeat came.</param>
internal sealed record NodeRecord(
    string Name,
    NodeCapabilities? Capabilities,
    bool HypervisorConnected,
    string ServiceVersion,
    long WorkFreeBytes,
    long StoreFreeBytes,
    int MaxJobs,
    int RunningJobs,
    IReadOnlyList<string> Problems,
    DateTimeOffset SeenAt)
{
    /// <summary>What is known of its captures; null: nothing, or a node of an older version.</summary>
    public NodeCheck? Check { get; init; }

    /// <summary>No new jobs are accepted for it.</summary>
    public bool IsDrained { get; init; }

    /// <summary>Which host it is; null: an older version does not say. Only written.</summary>
    public string? HostId { get; init; }

    /// <summary>How long ago it looked at all its servers; null: not yet. Only written.</summary>
    public TimeSpan? InventoryAge { get; init; }
}
