using Npgsql;
using NpgsqlTypes;
using SnapshotApi.Hypervisor;
using static SnapshotApi.Persistence.Parameter;

namespace SnapshotApi.Persistence;

/// <summary>Table <c>servers</c>: the inventory that all nodes publish, without paths of hosts.</summary>
internal sealed class ServerTable(Database database)
{
    private const string List =
        "SELECT node, description::text AS description, seen_at FROM servers ORDER BY name, id, node";

    // A UUID comes before a name: a server may be named like the UUID of another.
    private const string Find = """
        SELECT node, description::text AS description, seen_at FROM servers
        WHERE id = @id OR (name = @name AND NOT EXISTS (SELECT FROM servers WHERE id = @id))
        ORDER BY id, node
        """;

    private const string Upsert = """
        INSERT INTO servers (node, id, name, description, seen_at)
        SELECT @node, s.id, s.name, s.description::jsonb, clock_timestamp()
        FROM unnest(@ids, @names, @descriptions) AS s (id, name, description)
        ON CONFLICT (node, id) DO UPDATE
        SET name = EXCLUDED.name, description = EXCLUDED.description, seen_at = EXCLUDED.seen_at
        """;

    private const string DeleteVanished = "DELETE FROM servers WHERE node = @node AND NOT (id = ANY(@ids))";

    private const string Delete = "DELETE FROM servers WHERE node = @node AND id = @id";

    private const string Answer = $"SELECT pg_notify('{Channels.Inventory}', @node || ' ' || @token)";

    /// <summary>Every server of every node, by name.</summary>
    public Task<IReadOnlyList<ServerRecord>> ListAsync(CancellationToken cancellationToken) =>
        database.ReadAsync(List, [], Read, cancellationToken);

    /// <summary>The servers of that UUID, else of that name. Several of one UUID: two nodes know the server.</summary>
    public Task<IReadOnlyList<ServerRecord>> FindAsync(string uuidOrName, CancellationToken cancellationToken) =>
        database.ReadAsync(
            Find,
            [Uuid("id", Guid.TryParse(uuidOrName, out Guid id) ? id : null), Text("name", uuidOrName)],
            Read,
            cancellationToken);

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

    /// <summary>Publishes one server of a node, or that it has vanished (null).</summary>
    public Task PublishOneAsync(
        string node,
        Guid serverId,
        ServerDescription? server,
        IReadOnlyList<string> tokens,
        CancellationToken cancellationToken) =>
        database.TransactAsync(
            async (connection, ct) =>
            {
                if (server is not null)
                {
                    await UpsertAsync(connection, node, [server], ct).ConfigureAwait(false);
                }
                else
                {
                    await Database.ExecuteAsync(
                        connection, Delete, [Text("node", node), Uuid("id", serverId)], ct).ConfigureAwait(false);
                }

                return await AnswerAsync(connection, node, tokens, ct).ConfigureAwait(false);
            },
            cancellationToken);

    /// <summary>Answers requests for a refresh although nothing could be read.</summary>
    public Task AnswerAsync(string node, IReadOnlyList<string> tokens, CancellationToken cancellationToken) =>
        database.TransactAsync((connection, ct) => AnswerAsync(connection, node, tokens, ct), cancellationToken);

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
                ArrayOf("descriptions", NpgsqlDbType.Text, servers.Select(s => RowJson.Write(s.WithoutPaths()))),
            ],
            cancellationToken);

    private static async Task<int> AnswerAsync(
        NpgsqlConnection connection, string node, IReadOnlyList<string> tokens, CancellationToken cancellationToken)
    {
        foreach (string token in tokens.DefaultIfEmpty(string.Empty))
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
