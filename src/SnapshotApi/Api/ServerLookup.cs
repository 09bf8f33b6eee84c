using SnapshotApi.Api.Validation;
using SnapshotApi.Errors;
using SnapshotApi.Persistence;

namespace SnapshotApi.Api;

/// <summary>Finds the one server that an address or a filter means.</summary>
internal sealed class ServerLookup(ServerTable servers)
{
    /// <summary>The server of a UUID or name; the one seen last when two nodes know it, as during a migration.</summary>
    /// <exception cref="SnapshotException">server_not_found; server_ambiguous, with the UUIDs.</exception>
    public async Task<ServerRecord> FindAsync(string uuidOrName, CancellationToken cancellationToken)
    {
        IReadOnlyList<ServerRecord> found =
            await servers.FindAsync(NotFound.ServerText(uuidOrName), cancellationToken).ConfigureAwait(false);
        Guid[] ids = [.. found.Select(s => s.Description.Id).Distinct()];
        return ids.Length switch
        {
            0 => throw NotFound.Server(uuidOrName),
            1 => found.MaxBy(s => s.SeenAt)!,
            _ => throw Ambiguous(uuidOrName, ids),
        };
    }

    /// <summary>
    /// The UUID that a filter means. A UUID is taken as it is: the jobs and images of a server outlive it.
    /// </summary>
    /// <exception cref="SnapshotException">server_not_found; server_ambiguous, with the UUIDs.</exception>
    public async Task<Guid?> FindIdAsync(string? uuidOrName, CancellationToken cancellationToken)
    {
        if (uuidOrName is null)
        {
            return null;
        }

        return Guid.TryParseExact(uuidOrName, "D", out Guid id)
            ? id
            : (await FindAsync(uuidOrName, cancellationToken).ConfigureAwait(false)).Description.Id;
    }

    private static SnapshotException Ambiguous(string name, Guid[] ids) =>
        new(SnapshotErrorCode.ServerAmbiguous, $"{ids.Length} servers are named {name}; use a UUID")
        {
            Details = new Dictionary<string, object?> { [ProblemWriter.ServerIdsKey] = ids },
        };
}

/// <summary>What the API says when there is no such thing.</summary>
internal static class NotFound
{
    /// <summary>The id of a job in an address; what is no UUID is no job either.</summary>
    /// <exception cref="SnapshotException">job_not_found.</exception>
    public static Guid JobId(string id) => Guid.TryParseExact(id, "D", out Guid value) ? value : throw Job(id);

    /// <summary>The id of an image in an address; what is no UUID is no image either.</summary>
    /// <exception cref="SnapshotException">image_not_found.</exception>
    public static Guid ImageId(string id) => Guid.TryParseExact(id, "D", out Guid value) ? value : throw Image(id);

    /// <summary>The server of an address: what no server can be named is refused before anybody looks for it.</summary>
    /// <exception cref="SnapshotException">server_not_found.</exception>
    public static string ServerText(string server) => TextRule.Check(server, 1, 255) is null ? server : throw Server(server);

    /// <summary>There is no such job.</summary>
    public static SnapshotException Job(string id) => new(SnapshotErrorCode.JobNotFound, $"no job has the id {TextRule.Shown(id)}");

    /// <summary>There is no such image.</summary>
    public static SnapshotException Image(string id) => new(SnapshotErrorCode.ImageNotFound, $"no image has the id {TextRule.Shown(id)}");

    /// <summary>There is no such server.</summary>
    public static SnapshotException Server(string server) =>
        new(SnapshotErrorCode.ServerNotFound, $"no node runs a server with the UUID or name {TextRule.Shown(server)}");
}
