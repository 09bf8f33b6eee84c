using Npgsql;
using NpgsqlTypes;
using SnapshotApi.Hypervisor;
using static SnapshotApi.Persistence.Parameter;

namespace SnapshotApi.Persistence;

/// <summary>Table <c>servers</c>: the inventory that all nodes publish, without paths of hosts.</summary>
internal sealed class ServerTable(Database database)
{
    // What has not changed is not written: that its node has seen all its servers again says so.
    private const string Columns = """
        servers.node, description::text AS description, greatest(servers.seen_at, nodes.inventory_at) AS seen_at
        """;

    private const string From = "FROM servers JOIN nodes ON nodes.name = servers.node";

    // Names by their bytes: the order of ix_servers_page, whatever the collation of the database.
    private const string List = $"""
        SELECT {Columns} {From}
        WHERE (@name IS NULL OR servers.name COLLATE "C" = @name)
          AND (@node IS NULL OR servers.node = @node)
          AND (@after_name IS NULL
            OR (servers.name COLLATE "C", id, servers.node) > (@after_name, @after_id, @after_node))
        ORDER BY servers.name COLLATE "C", id, servers.node
        LIMIT @limit
        """;

    // By Nova's name, each server once: of a node that lives, that runs it, that saw it last. Of servers without a
    // project of Nova's it finds some too many: the configuration decides.
    private const string ListForNova = $"""
        SELECT {Columns} {From}
        WHERE (@is_of_all
            OR lower(description->'nova'->>'projectId') = lower(@project)
            OR (coalesce(description->'nova'->>'projectId', '') = ''
                AND (@owns_others OR id = ANY(@ids)
                    OR lower(servers.name) = ANY(ARRAY(SELECT lower(own) FROM unnest(@names) AS own)))))
          AND (@after_name IS NULL
            OR (coalesce(description->'nova'->>'name', servers.name) COLLATE "C", id) > (@after_name, @after_id))
          AND NOT EXISTS (
            SELECT FROM servers AS twin JOIN nodes AS holder ON holder.name = twin.node
            WHERE twin.id = servers.id AND twin.node <> servers.node
              AND (holder.seen_at > statement_timestamp() - @within,
                    twin.description->>'powerState' IN ('running', 'paused', 'suspended'),
                    greatest(twin.seen_at, holder.inventory_at), twin.node)
                > (nodes.seen_at > statement_timestamp() - @within,
                    servers.description->>'powerState' IN ('running', 'paused', 'suspended'),
                    greatest(servers.seen_at, nodes.inventory_at), servers.node))
        ORDER BY coalesce(description->'nova'->>'name', servers.name) COLLATE "C", id
        LIMIT @limit
        """;

    // A UUID comes before a name: a server may be named like the UUID of another.
    private const string Find = $"""
        SELECT {Columns} {From}
        WHERE id = @id OR (servers.name = @name AND NOT EXISTS (SELECT FROM servers WHERE id = @id))
        ORDER BY id, servers.node
        """;

    private const string FindNodes = """
        SELECT DISTINCT node FROM servers
        WHERE id = @id OR (name = @name AND NOT EXISTS (SELECT FROM servers WHERE id = @id))
        """;

    private const string Upsert = """
        INSERT INTO servers (node, id, name, description, seen_at)
        SELECT @node, s.id, s.name, s.description::jsonb, clock_timestamp()
        FROM unnest(@ids, @names, @descriptions) AS s (id, name, description)
        ON CONFLICT (node, id) DO UPDATE
        SET name = EXCLUDED.name, description = EXCLUDED.description, seen_at = EXCLUDED.seen_at
        WHERE (servers.name, servers.description) IS DISTINCT FROM (EXCLUDED.name, EXCLUDED.description)
        """;

    private const string DeleteVanished = "DELETE FROM servers WHERE node = @node AND NOT (id = ANY(@ids))";

    private const string Delete = "DELETE FROM servers WHERE node = @node AND id = ANY(@ids)";

    private const string Answer = $"SELECT pg_notify('{Channels.Inventory}', @node || ' ' || @token)";

    /// <summary>A page of servers, by name, UUID and node; at most <see cref="ServerFilter.Limit"/>.</summary>
    public Task<IReadOnlyList<ServerRecord>> ListAsync(ServerFilter filter, CancellationToken cancellationToken) =>
        database.ReadAsync(
            List,
            [
                Text("name", filter.Name), Text("node", filter.Node), Integer("limit", filter.Limit),
                Text("after_name", filter.After?.Name), Uuid("after_id", filter.After?.Id),
                Text("after_node", filter.After?.Node),
            ],
            Read,
            cancellationToken);

    /// <summary>Servers as Nova's users see them, by Nova's name and UUID.</summary>
    public Task<IReadOnlyList<ServerRecord>> ListForNovaAsync(
        NovaServerFilter filter, CancellationToken cancellationToken) => database.ReadAsync(
        ListForNova,
        [
            Bool("is_of_all", filter.Project is null), Text("project", filter.Project?.Id),
            Bool("owns_others", filter.Project?.OwnsOthers ?? false),
            ArrayOf("ids", NpgsqlDbType.Uuid, filter.Project?.ServerIds ?? []),
            ArrayOf("names", NpgsqlDbType.Text, filter.Project?.ServerNames ?? []),
            Text("after_name", filter.After?.Name), Uuid("after_id", filter.After?.Id), Integer("limit", filter.Limit),
            Interval("within", filter.Within),
        ],
        Read,
        cancellationToken);

    /// <summary>The nodes that know a server of that UUID, else of that name.</summary>
    public Task<IReadOnlyList<string>> FindNodesAsync(string uuidOrName, CancellationToken cancellationToken) =>
        database.ReadAsync(FindNodes, Named(uuidOrName), r => r.Get<string>("node"), cancellationToken);

    /// <summary>The servers of that UUID, else of that name. Several of one UUID: two nodes know the server.</summary>
    public Task<IReadOnlyList<ServerRecord>> FindAsync(string uuidOrName, CancellationToken cancellationToken) =>
        database.ReadAsync(Find, Named(uuidOrName), Read, cancellationToken);

    /// <summary>Publishes all servers of a node and deletes the rows of any other.</summary>
    /// <param name="node">The node; its row must be there.</param>
    /// <param name="servers">All its servers.</param>
    /// <param name="tokens">Requests for a refresh that this answers.</param>
    public Task PublishAllAsync(
        string node,
        IReadOnlyList<ServerDescription> servers,
        IReadOnlyList<string> tokens,
        CancellationToken cancellationToken) =>
        database.TransactAsync(
            async (connection, ct) =>
            {
                await UpsertAsync(connection, node, servers, ct).ConfigureAwait(false);
                await Database.ExecuteAsync(
                    connection,
                    DeleteVanished,
                    [Text("node", node), ArrayOf("ids", NpgsqlDbType.Uuid, servers.Select(s => s.Id))],
                    ct).ConfigureAwait(false);
                return await AnswerAsync(connection, node, tokens, ct).ConfigureAwait(false);
            },
            cancellationToken);

    /// <summary>Publishes servers of a node that have changed, and that others have vanished.</summary>
    /// <param name="tokens">Requests for a refresh that this answers.</param>
    public Task PublishChangesAsync(
        string node,
        IReadOnlyList<ServerDescription> changed,
        IReadOnlyList<Guid> vanished,
        IReadOnlyList<string> tokens,
        CancellationToken cancellationToken) =>
        database.TransactAsync(
            async (connection, ct) =>
            {
                if (changed.Count > 0)
                {
                    await UpsertAsync(connection, node, changed, ct).ConfigureAwait(false);
                }

                if (vanished.Count > 0)
                {
                    await Database.ExecuteAsync(
                        connection,
                        Delete,
                        [Text("node", node), ArrayOf("ids", NpgsqlDbType.Uuid, vanished)],
                        ct).ConfigureAwait(false);
                }

                return await AnswerAsync(connection, node, tokens, ct).ConfigureAwait(false);
            },
            cancellationToken);

    /// <summary>Answers requests for a refresh although nothing could be read.</summary>
    public Task AnswerAsync(string node, IReadOnlyList<string> tokens, CancellationToken cancellationToken) =>
        database.TransactAsync((connection, ct) => AnswerAsync(connection, node, tokens, ct), cancellationToken);

    /// <summary>What the row of a server holds of it.</summary>
    public static string TextOf(ServerDescription server) => RowJson.Write(server.WithoutPaths());

    private static NpgsqlParameter[] Named(string uuidOrName) =>
        [Uuid("id", Guid.TryParse(uuidOrName, out Guid id) ? id : null), Text("name", uuidOrName)];

    private static ServerRecord Read(NpgsqlDataReader row) => new(
        row.Get<string>("node"), row.Json<ServerDescription>("description"), row.Get<DateTimeOffset>("seen_at"));

    private static Task<int> UpsertAsync(
        NpgsqlConnection connection,
        string node,
        IReadOnlyList<ServerDescription> servers,
        CancellationToken cancellationToken) =>
        Database.ExecuteAsync(
            connection,
            Upsert,
            [
                Text("node", node),
                ArrayOf("ids", NpgsqlDbType.Uuid, servers.Select(s => s.Id)),
                ArrayOf("names", NpgsqlDbType.Text, servers.Select(s => s.Name)),
                ArrayOf("descriptions", NpgsqlDbType.Text, servers.Select(TextOf)),
            ],
            cancellationToken);

    private static async Task<int> AnswerAsync(
        NpgsqlConnection connection, string node, IReadOnlyList<string> tokens, CancellationToken cancellationToken)
    {
        foreach (string token in tokens)
        {
            await Database.ExecuteAsync(
                connection, Answer, [Text("node", node), Text("token", token)], cancellationToken)
                .ConfigureAwait(false);
        }

        return tokens.Count;
    }
}

/// <summary>One row of <c>servers</c>: a server as its node last saw it.</summary>
internal sealed record ServerRecord(string Node, ServerDescription Description, DateTimeOffset SeenAt);

/// <summary>Which servers a listing shows, by name; null: all.</summary>
/// <param name="After">Keyset cursor: only servers behind this; null: from the first.</param>
/// <param name="Limit">At most this many.</param>
internal sealed record ServerFilter(string? Name, string? Node, ServerCursor? After, int Limit);

/// <summary>Place in the list of servers.</summary>
internal readonly record struct ServerCursor(string Name, Guid Id, string Node);

/// <summary>Which servers a listing for Nova's clients shows.</summary>
/// <param name="Project">Only those of a project; null: all.</param>
/// <param name="After">Name and UUID of the last server of the page before; null: from the first.</param>
/// <param name="Within">A node lives whose last heartbeat is not older.</param>
/// <param name="Limit">At most this many rows.</param>
internal sealed record NovaServerFilter(
    NovaProject? Project, (string Name, Guid Id)? After, TimeSpan Within, int Limit);

/// <summary>A project and what the configuration gives it of servers that have none of Nova's.</summary>
/// <param name="OwnsOthers">Those that the configuration does not name, too.</param>
/// <param name="ServerNames">In any case.</param>
internal sealed record NovaProject(
    string Id, bool OwnsOthers, IReadOnlyList<Guid> ServerIds, IReadOnlyList<string> ServerNames);
