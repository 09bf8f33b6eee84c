using Npgsql;
using NpgsqlTypes;
using SnapshotApi.Hypervisor;

namespace SnapshotApi.Persistence;

/// <summary>Table <c>nodes</c>: each node's last sign of life.</summary>
internal sealed class NodeTable(Database database)
{
    private const string Columns = """
        name, capabilities::text AS capabilities, hypervisor_connected, service_version, work_free_bytes, store_free_bytes, max_jobs,
        running_jobs, problems::text AS problems, seen_at
        """;

    private const string List = $"SELECT {Columns} FROM nodes ORDER BY name";

    // Ages are taken by the database's clock, so that clocks of hosts need not agree.
    private const string ListAlive = $"SELECT {Columns} FROM nodes WHERE seen_at > clock_timestamp() - @within ORDER BY name";

    private const string Upsert = """
        INSERT INTO nodes (name, capabilities, hypervisor_connected, service_version, work_free_bytes, store_free_bytes, max_jobs,
            running_jobs, problems, seen_at)
        VALUES (@name, @capabilities, @hypervisor_connected, @service_version, @work_free_bytes, @store_free_bytes, @max_jobs,
            @running_jobs, @problems, clock_timestamp())
        ON CONFLICT (name) DO UPDATE SET capabilities = coalesce(EXCLUDED.capabilities, nodes.capabilities),
            hypervisor_connected = EXCLUDED.hypervisor_connected, service_version = EXCLUDED.service_version,
            work_free_bytes = EXCLUDED.work_free_bytes, store_free_bytes = EXCLUDED.store_free_bytes, max_jobs = EXCLUDED.max_jobs,
            running_jobs = EXCLUDED.running_jobs, problems = EXCLUDED.problems, seen_at = EXCLUDED.seen_at
        """;

    /// <summary>Every node that ever gave a sign of life, by name.</summary>
    public Task<IReadOnlyList<NodeRecord>> ListAsync(CancellationToken cancellationToken) =>
        database.ReadAsync(List, null, Read, cancellationToken);

    /// <summary>The nodes that gave a sign of life within that time.</summary>
    public Task<IReadOnlyList<NodeRecord>> ListAliveAsync(TimeSpan within, CancellationToken cancellationToken) =>
        database.ReadAsync(ListAlive, p => p.AddTyped("within", NpgsqlDbType.Interval, within), Read, cancellationToken);

    /// <summary>Publishes a node's sign of life; <see cref="NodeRecord.SeenAt"/> is set by the database.</summary>
    public Task PublishAsync(NodeRecord node, CancellationToken cancellationToken) =>
        database.ExecuteAsync(
            Upsert,
            p =>
            {
                p.AddTyped("name", NpgsqlDbType.Text, node.Name);
                p.AddTyped("capabilities", NpgsqlDbType.Jsonb, node.Capabilities is { } c ? RowJson.Write(c) : null);
                p.AddTyped("hypervisor_connected", NpgsqlDbType.Boolean, node.HypervisorConnected);
                p.AddTyped("service_version", NpgsqlDbType.Text, node.ServiceVersion);
                p.AddTyped("work_free_bytes", NpgsqlDbType.Bigint, node.WorkFreeBytes);
                p.AddTyped("store_free_bytes", NpgsqlDbType.Bigint, node.StoreFreeBytes);
                p.AddTyped("max_jobs", NpgsqlDbType.Integer, node.MaxJobs);
                p.AddTyped("running_jobs", NpgsqlDbType.Integer, node.RunningJobs);
                p.AddTyped("problems", NpgsqlDbType.Jsonb, RowJson.Write(node.Problems));
            },
            cancellationToken);

    private static NodeRecord Read(NpgsqlDataReader reader) => new(
        reader.Get<string>("name"),
        reader.NullableText("capabilities") is { } capabilities ? RowJson.Read<NodeCapabilities>(capabilities) : null,
        reader.Get<bool>("hypervisor_connected"),
        reader.Get<string>("service_version"),
        reader.Get<long>("work_free_bytes"),
        reader.Get<long>("store_free_bytes"),
        reader.Get<int>("max_jobs"),
        reader.Get<int>("running_jobs"),
        RowJson.Read<IReadOnlyList<string>>(reader.Get<string>("problems")),
        reader.Get<DateTimeOffset>("seen_at"));
}

/// <summary>One row of <c>nodes</c>.</summary>
/// <param name="Name">Name of the node.</param>
/// <param name="Capabilities">Versions and what they allow; null before libvirt first answered.</param>
/// <param name="HypervisorConnected">libvirt answered at the last look.</param>
/// <param name="ServiceVersion">Version of SnapshotApi there.</param>
/// <param name="WorkFreeBytes">Free bytes in the work directory.</param>
/// <param name="StoreFreeBytes">Free bytes in the directory store.</param>
/// <param name="MaxJobs">How many jobs it runs at once.</param>
/// <param name="RunningJobs">How many run now.</param>
/// <param name="Problems">What an operator should see to: clean-up that could not be done yet.</param>
/// <param name="SeenAt">Its last sign of life.</param>
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
    DateTimeOffset SeenAt);
