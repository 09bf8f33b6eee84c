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
        capture_check::text AS capture_check
        """;

    private const string List = $"SELECT {Columns} FROM nodes ORDER BY name";

    private const string Find = $"SELECT {Columns} FROM nodes WHERE name = @name";

    private const string Ask = $"SELECT pg_notify('{Channels.Check}', @name)";

    // The database's clock tells ages, so that the clocks of hosts need not agree.
    private const string ListAlive =
        $"SELECT {Columns} FROM nodes WHERE seen_at > clock_timestamp() - @within ORDER BY name";

    private const string FindAlive = $"""
        SELECT {Columns} FROM nodes WHERE name = @name AND seen_at > clock_timestamp() - @within
        """;

    private const string AskNothing = "SELECT FROM nodes LIMIT 1";

    private const string Upsert = """
        INSERT INTO nodes (name, capabilities, hypervisor_connected, service_version, work_free_bytes, store_free_bytes,
            max_jobs, running_jobs, problems, capture_check, seen_at)
        VALUES (@name, @capabilities, @hypervisor_connected, @service_version, @work_free_bytes, @store_free_bytes,
            @max_jobs, @running_jobs, @problems, @capture_check, clock_timestamp())
        ON CONFLICT (name) DO UPDATE SET capabilities = coalesce(EXCLUDED.capabilities, nodes.capabilities),
            hypervisor_connected = EXCLUDED.hypervisor_connected, service_version = EXCLUDED.service_version,
            work_free_bytes = EXCLUDED.work_free_bytes, store_free_bytes = EXCLUDED.store_free_bytes,
            max_jobs = EXCLUDED.max_jobs, running_jobs = EXCLUDED.running_jobs, problems = EXCLUDED.problems,
            capture_check = EXCLUDED.capture_check, seen_at = EXCLUDED.seen_at
        """;

    /// <summary>Every node that ever sent a heartbeat, by name.</summary>
    public Task<IReadOnlyList<NodeRecord>> ListAsync(CancellationToken cancellationToken) =>
        database.ReadAsync(List, [], Read, cancellationToken);

    /// <summary>The nodes that sent a heartbeat within that time.</summary>
    public Task<IReadOnlyList<NodeRecord>> ListAliveAsync(TimeSpan within, CancellationToken cancellationToken) =>
        database.ReadAsync(ListAlive, [Interval("within", within)], Read, cancellationToken);

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
    public Task PublishAsync(NodeRecord node, CancellationToken cancellationToken) =>
        database.ExecuteAsync(
            Upsert,
            [
                Text("name", node.Name), Json("capabilities", node.Capabilities),
                Bool("hypervisor_connected", node.HypervisorConnected), Text("service_version", node.ServiceVersion),
                Bigint("work_free_bytes", node.WorkFreeBytes), Bigint("store_free_bytes", node.StoreFreeBytes),
                Integer("max_jobs", node.MaxJobs), Integer("running_jobs", node.RunningJobs),
                Json("problems", node.Problems), Json("capture_check", node.Check),
            ],
            cancellationToken);

    private static NodeRecord Read(NpgsqlDataReader row) => new(
        row.Get<string>("name"), row.NullableJson<NodeCapabilities>("capabilities"),
        row.Get<bool>("hypervisor_connected"), row.Get<string>("service_version"), row.Get<long>("work_free_bytes"),
        row.Get<long>("store_free_bytes"), row.Get<int>("max_jobs"), row.Get<int>("running_jobs"),
        row.Json<IReadOnlyList<string>>("problems"), row.Get<DateTimeOffset>("seen_at"))
    {
        Check = row.NullableJson<NodeCheck>("capture_check"),
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
}
