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
