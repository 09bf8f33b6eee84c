using SnapshotApi.Api.Validation;
using SnapshotApi.Jobs;
using SnapshotApi.Persistence;

namespace SnapshotApi.Api;

/// <summary>Finds the one server that an address or a filter means.</summary>
internal sealed class ServerLookup(ServerTable servers, NodeTable nodes, IOptions<JobsOptions> options)
{
    /// <summary>
    /// The server of a UUID or name; during a migration, as the node knows it that runs it, or saw it last. What nodes
    /// that live know comes first: the servers of one that is gone may have been made again elsewhere.
    /// </summary>
    /// <exception cref="SnapshotException">server_not_found; server_ambiguous, with the UUIDs.</exception>
    public async Task<ServerRecord> FindAsync(string uuidOrName, CancellationToken cancellationToken)
    {
        IReadOnlyList<ServerRecord> found =
            await servers.FindAsync(NotFound.ServerText(uuidOrName), cancellationToken).ConfigureAwait(false);
        if (found.Count > 1)
        {
            IReadOnlyList<string> alive = await nodes
                .ListAbleAsync(NodeLiveness.Limit(options.Value), cancellationToken).ConfigureAwait(false);
            ServerRecord[] living = [.. found.Where(s => alive.Contains(s.Node))];
            found = living.Length > 0 ? living : found;
        }

        Guid[] ids = [.. found.Select(s => s.Description.Id).Distinct()];
        return ids.Length switch
        {
            0 => throw NotFound.Server(uuidOrName),
            1 => found.OrderByDescending(s => s.Description.IsActive).ThenByDescending(s => s.SeenAt).First(),
            _ => throw Ambiguous(uuidOrName, ids),
        };
    }

    /// <summary>The UUID of a filter. A UUID needs no server: jobs and images outlive theirs.</summary>
    /// <exception cref="SnapshotException">server_not_found; server_ambiguous, with the UUIDs.</exception>
    public async Task<Guid?> FindIdAsync(string? uuidOrName, CancellationToken cancellationToken) =>
        uuidOrName is null ? null
        : Guid.TryParseExact(uuidOrName, "D", out Guid id) ? id
        : (await FindAsync(uuidOrName, cancellationToken).ConfigureAwait(false)).Description.Id;

    private static SnapshotException Ambiguous(string name, Guid[] ids) =>
        new(SnapshotErrorCode.ServerAmbiguous, $"{ids.Length} servers are named {name}; use a UUID")
        {
            Details = new Dictionary<string, object?> { [ProblemWriter.ServerIdsKey] = ids },
        };
}

/// <summary>Ids in addresses, and the errors of those that are unknown. What is no UUID is unknown, too.</summary>
internal static class NotFound
{
    /// <exception cref="SnapshotException">job_not_found.</exception>
    public static Guid JobId(string id) => Guid.TryParseExact(id, "D", out Guid value) ? value : throw Job(id);

    /// <exception cref="SnapshotException">image_not_found.</exception>
    public static Guid ImageId(string id) => Guid.TryParseExact(id, "D", out Guid value) ? value : throw Image(id);

    /// <exception cref="SnapshotException">server_not_found: no server can have that name.</exception>
    public static string ServerText(string server) =>
        TextRule.Check(server, 1, 255) is null ? server : throw Server(server);

    public static SnapshotException Job(string id) =>
        new(SnapshotErrorCode.JobNotFound, $"no job has the id {TextRule.Shown(id)}");

    public static SnapshotException Image(string id) =>
        new(SnapshotErrorCode.ImageNotFound, $"no image has the id {TextRule.Shown(id)}");

    public static SnapshotException Node(string node) =>
        new(SnapshotErrorCode.NodeNotFound, $"there is no node {TextRule.Shown(node)}");

    public static SnapshotException Server(string server) =>
        new(SnapshotErrorCode.ServerNotFound, $"no node runs a server with the UUID or name {TextRule.Shown(server)}");
}
