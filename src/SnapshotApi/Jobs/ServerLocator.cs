using SnapshotApi.Persistence;

namespace SnapshotApi.Jobs;

/// <summary>Finds the server that a request means, and its node.</summary>
internal sealed class ServerLocator(ServerTable servers, NodeTable nodes, IOptions<JobsOptions> options)
{
    /// <summary>Finds a server by UUID or unique name.</summary>
    /// <exception cref="SnapshotException">
    /// server_not_found; server_ambiguous, with <c>serverIds</c>; hypervisor_unavailable: its node, or its node's
    /// libvirt, does not answer; state_conflict: it is drained, or several nodes have the server.
    /// </exception>
    public async Task<LocatedServer> LocateAsync(string uuidOrName, CancellationToken cancellationToken)
    {
        IReadOnlyList<ServerRecord> found =
            await servers.FindAsync(uuidOrName, cancellationToken).ConfigureAwait(false);
        IReadOnlyList<NodeRecord> alive =
            await nodes.ListAliveAsync(NodeLiveness.Limit(options.Value), cancellationToken).ConfigureAwait(false);
        Dictionary<string, NodeRecord> answering = alive.Where(n => n.HypervisorConnected).ToDictionary(n => n.Name);
        if (found.Count == 0)
        {
            throw answering.Count > 0
                ? new SnapshotException(SnapshotErrorCode.ServerNotFound, "no node runs a server of that UUID or name")
                : new SnapshotException(SnapshotErrorCode.HypervisorUnavailable, "no node answers");
        }

        // The servers of a node that is gone may be elsewhere by now.
        List<ServerRecord> candidates = [.. found.Where(s => answering.ContainsKey(s.Node))];
        if (candidates.Count == 0)
        {
            throw new SnapshotException(
                SnapshotErrorCode.HypervisorUnavailable,
                $"libvirt on node {found[0].Node}, which runs the server, does not answer");
        }

        ServerRecord server = ChooseOne(candidates);
        RequireNotElsewhere(server, found);
        if (answering[server.Node].IsDrained)
        {
            throw new SnapshotException(
                SnapshotErrorCode.StateConflict, $"node {server.Node}, which runs the server, is drained");
        }

        return new LocatedServer(server, answering[server.Node]);
    }

    // A definition that a migration left: its disks are old, or those of the guest that runs on the silent node.
    private static void RequireNotElsewhere(ServerRecord server, IReadOnlyList<ServerRecord> found)
    {
        ServerRecord? running = found.FirstOrDefault(
            s => s.Node != server.Node && s.Description.Id == server.Description.Id && s.Description.IsActive);
        if (!server.Description.IsActive && running is not null)
        {
            throw new SnapshotException(
                SnapshotErrorCode.HypervisorUnavailable,
                $"node {running.Node}, which ran the server when it was last seen, does not answer; "
                + $"if the node is gone for good, forget it, and the server counts as that of node {server.Node}");
        }
    }

    private static ServerRecord ChooseOne(List<ServerRecord> candidates)
    {
        List<Guid> ids = [.. candidates.Select(s => s.Description.Id).Distinct()];
        if (ids.Count > 1)
        {
            throw new SnapshotException(SnapshotErrorCode.ServerAmbiguous, $"{ids.Count} servers have that name")
            {
                Details = new Dictionary<string, object?> { ["serverIds"] = ids },
            };
        }

        // A server on two nodes migrates, or was left defined by a migration: the node that executes it has its disks.
        List<ServerRecord> active = [.. candidates.Where(s => s.Description.IsActive)];
        return candidates.Count == 1 ? candidates[0]
            : active.Count == 1 ? active[0]
            : throw new SnapshotException(
                SnapshotErrorCode.StateConflict, $"the server is on {candidates.Count} nodes at once");
    }
}

/// <summary>A server and its node, which answers.</summary>
internal sealed record LocatedServer(ServerRecord Server, NodeRecord Node);
