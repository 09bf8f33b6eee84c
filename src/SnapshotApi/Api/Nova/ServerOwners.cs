using SnapshotApi.Hypervisor;
using SnapshotApi.Persistence;

namespace SnapshotApi.Api.Nova;

/// <summary>The project of each server, from Nova's metadata in its definition, else as configured.</summary>
internal sealed class ServerOwners(ServerTable servers, ServerLookup lookup, IOptions<NovaOptions> options)
{
    private readonly Dictionary<string, string> _projects = options.Value.Projects
        .SelectMany(p => p.Value.Select(server => (Server: server, Project: p.Key)))
        .GroupBy(e => e.Server, StringComparer.OrdinalIgnoreCase)
        .ToDictionary(g => g.Key, g => g.First().Project, StringComparer.OrdinalIgnoreCase);

    /// <summary>Name of a server for users of Nova.</summary>
    public static string NameOf(ServerDescription server) => server.Nova?.Name ?? server.Name;

    /// <summary>Project of a server; null when it has none, and only admins see it.</summary>
    public string? ProjectOf(ServerDescription server) =>
        server.Nova?.ProjectId is { Length: > 0 } project ? project
        : _projects.GetValueOrDefault(server.Id.ToString("D"))
            ?? _projects.GetValueOrDefault(server.Name)
            ?? _projects.GetValueOrDefault(NovaOptions.EveryServer);

    /// <summary>The caller may see the server.</summary>
    public bool Sees(NovaCaller caller, ServerDescription server) => caller.IsAdmin
        || (caller.ProjectId.Length > 0
            && string.Equals(ProjectOf(server), caller.ProjectId, StringComparison.OrdinalIgnoreCase));

    /// <summary>The server of an id.</summary>
    /// <exception cref="RequestRejectedException">404: there is none that the caller may see.</exception>
    public async Task<ServerRecord> FindAsync(NovaCaller caller, string id, CancellationToken cancellationToken)
    {
        if (!Guid.TryParseExact(id, "D", out Guid serverId))
        {
            throw NovaRefusal.NoServer(id);
        }

        ServerRecord server;
        try
        {
            server = await lookup.FindAsync(serverId.ToString("D"), cancellationToken).ConfigureAwait(false);
        }
        catch (SnapshotException e) when (e.Code is SnapshotErrorCode.ServerNotFound)
        {
            throw NovaRefusal.NoServer(id);
        }

        return Sees(caller, server.Description) ? server : throw NovaRefusal.NoServer(id);
    }

    /// <summary>
    /// The servers of the caller's project, or of all, each once, by name. An admin's lists have the servers without a
    /// project, too.
    /// </summary>
    public async Task<IReadOnlyList<ServerRecord>> ListAsync(
        NovaCaller caller, bool ofAllProjects, CancellationToken cancellationToken)
    {
        // A server that two nodes know is migrating: see ServerLookup.
        IReadOnlyList<ServerRecord> all = await servers.ListAsync(cancellationToken).ConfigureAwait(false);
        return
        [
            .. all.Where(s => Sees(caller, s.Description) && (ofAllProjects || IsOfProject(caller, s.Description)))
                .GroupBy(s => s.Description.Id)
                .Select(g => g.MaxBy(s => s.SeenAt)!)
                .OrderBy(s => NameOf(s.Description), StringComparer.Ordinal)
                .ThenBy(s => s.Description.Id),
        ];
    }

    // A server without a project counts as one of the caller's, who is an admin if it is seen at all.
    private bool IsOfProject(NovaCaller caller, ServerDescription server) =>
        string.Equals(ProjectOf(server) ?? caller.ProjectId, caller.ProjectId, StringComparison.OrdinalIgnoreCase);
}
