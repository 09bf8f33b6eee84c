using Npgsql;
using NpgsqlTypes;
using SnapshotApi.Hypervisor;

namespace SnapshotApi.Persistence;

/// <summary>Table <c>servers</c>: the inventory of all nodes, as they publish it; paths of hosts are none of the database's business.</summary>
internal sealed class ServerTable(Database database)
{
    private const string List = "SELECT node, description::text AS description, seen_at FROM servers ORDER BY name, id, node";

    // A UUID is looked for as such first: a server may be named like the UUID of another.
    private const string Find = """
        SELECT node, description::text AS description, seen_at FROM servers
        WHERE id = @id OR (name = @name AND NOT EXISTS (SELECT FROM servers WHERE id = @id))
        ORDER BY id, node
        """;

    private const string Upsert = """
        INSERT INTO servers (node, id, name, description, seen_at)
        SELECT @node, s.id, s.name, s.description::jsonb, clock_timestamp() FROM unnest(@ids, @names, @descriptions) AS s (id, name, description)
        ON CONFLICT (node, id) DO UPDATE SET name = EXCLUDED.name, description = EXCLUDED.description, seen_at = EXCLUDED.seen_at
        """;

    private const string DeleteVanished = "DELETE FROM servers WHERE node = @node AND NOT (id = ANY(@ids))";

    private const string Delete = "DELETE FROM servers WHERE node = @node AND id = @id";

    private const string Answer = $"SELECT pg_notify('{Channels.Inventory}', @node || ' ' || @token)";

    /// <summary>Every server of every node, by name.</summary>
    public Task<IReadOnlyList<ServerRecord>> ListAsync(CancellationToken cancellationToken) =>
        database.ReadAsync(List, null, Read, cancellationToken);

    /// <summary>
    /// The servers of that UUID, else of that name. More than one: the name is ambiguous, or (one UUID) a server is known to two nodes.
    /// </summary>
    public Task<IReadOnlyList<ServerRecord>> FindAsync(string uuidOrName, CancellationToken cancellationToken) =>
        database.ReadAsync(
            Find,
            p =>
            {
                p.AddTyped("id", NpgsqlDbType.Uuid, Guid.TryParse(uuidOrName, out Guid id) ? id : null);
                p.AddTyped("name", NpgsqlDbType.Text, uuidOrName);
            },
            Read,
            cancellationToken);

    /// <summary>Publishes all servers of a node; what it did not name has vanished.</summary>
    /// <param name="node">The node; its row must be there.</param>
    /// <param name="servers">All its servers.</param>
    /// <param name="tokens">Requests for a refresh that this answers.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public Task PublishAllAsync(
        string node, IReadOnlyList<ServerDescription> servers, IReadOnlyList<string> tokens, CancellationToken cancellationToken) =>
        database.TransactAsync(
            async (connection, ct) =>
            {
                await UpsertAsync(connection, node, servers, ct).ConfigureAwait(false);
                await Database.ExecuteAsync(
                    connection,
                    DeleteVanished,
                    p =>
                    {
                        p.AddTyped("node", NpgsqlDbType.Text, node);
                        p.AddTyped("ids", NpgsqlDbType.Array | NpgsqlDbType.Uuid, servers.Select(s => s.Id).ToArray());
                    },
                    ct).ConfigureAwait(false);
                return await AnswerAsync(connection, node, tokens, ct).ConfigureAwait(false);
            },
            cancellationToken);

    /// <summary>Publishes one server of a node, or that it has vanished (null).</summary>
    public Task PublishOneAsync(
        string node, Guid serverId, ServerDescription? server, IReadOnlyList<string> tokens, CancellationToken cancellationToken) =>
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
                        connection,
                        Delete,
                        p =>
                        {
                            p.AddTyped("node", NpgsqlDbType.Text, node);
                            p.AddTyped("id", NpgsqlDbType.Uuid, serverId);
                        },
                        ct).ConfigureAwait(false);
                }

                return await AnswerAsync(connection, node, tokens, ct).ConfigureAwait(false);
            },
            cancellationToken);

    /// <summary>Answers requests for a refresh although nothing could be read.</summary>
    public Task AnswerAsync(string node, IReadOnlyList<string> tokens, CancellationToken cancellationToken) =>
        database.TransactAsync((connection, ct) => AnswerAsync(connection, node, tokens, ct), cancellationToken);

    private static ServerRecord Read(NpgsqlDataReader reader) => new(
        reader.Get<string>("node"),
        RowJson.Read<ServerDescription>(reader.Get<string>("description")),
        reader.Get<DateTimeOffset>("seen_at"));

    private static Task<int> UpsertAsync(
        NpgsqlConnection connection, string node, IReadOnlyList<ServerDescription> servers, CancellationToken cancellationToken) =>
        Database.ExecuteAsync(
            connection,
            Upsert,
            p =>
            {
                p.AddTyped("node", NpgsqlDbType.Text, node);
                p.AddTyped("ids", NpgsqlDbType.Array | NpgsqlDbType.Uuid, servers.Select(s => s.Id).ToArray());
                p.AddTyped("names", NpgsqlDbType.Array | NpgsqlDbType.Text, servers.Select(s => s.Name).ToArray());
                p.AddTyped("descriptions", NpgsqlDbType.Array | NpgsqlDbType.Text, servers.Select(s => RowJson.Write(s.WithoutPaths())).ToArray());
            },
            cancellationToken);

    private static async Task<int> AnswerAsync(
        NpgsqlConnection connection, string node, IReadOnlyList<string> tokens, CancellationToken cancellationToken)
    {
        foreach (string token in tokens.DefaultIfEmpty(string.Empty))
        {
            await Database.ExecuteAsync(
                connection,
                Answer,
                p =>
                {
                    p.AddTyped("node", NpgsqlDbType.Text, node);
                    p.AddTyped("token", NpgsqlDbType.Text, token);
                },
                cancellationToken).ConfigureAwait(false);
        }

        return tokens.Count;
    }
}

/// <summary>One row of <c>servers</c>: a server as its node last saw it.</summary>
/// <param name="Node">Node that runs it.</param>
/// <param name="Description">What the node read.</param>
/// <param name="SeenAt">When.</param>
internal sealed record ServerRecord(string Node, ServerDescription Description, DateTimeOffset SeenAt);
