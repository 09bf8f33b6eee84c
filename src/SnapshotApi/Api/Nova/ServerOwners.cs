using Microsoft.Extensions.Options;
using SnapshotApi.Configuration;
using SnapshotApi.Errors;
using SnapshotApi.Hypervisor;
using SnapshotApi.Persistence;

namespace SnapshotApi.Api.Nova;

/// <summary>
/// Which project a server belongs to: as Nova wrote into its definition, else as configured; and so, who sees it.
/// </summary>
internal sealed class ServerOwners(ServerTable servers, ServerLookup lookup, IOptions<NovaOptions> options)
{
    private readonly Dictionary<string, string> _projects = options.Value.Projects
        .SelectMany(p => p.Value.Select(server => (Server: server, Project: p.Key)))
        .GroupBy(e => e.Server, StringComparer.OrdinalIgnoreCase)
        .ToDictionary(g => g.Key, g => g.First().Project, StringComparer.OrdinalIgnoreCase);

    /// <summary>Name of a server for users of Nova.</summary>
    public static string NameOf(ServerDescription server) => server.Nova?.Name ?? server.Name;

    /// <summary>Project of a server; null when it has none: only admins see it.</summary>
    public string? ProjectOf(ServerDescription server) =>
        server.Nova?.ProjectId is { Length: > 0 } project ? project
        : _projects.GetValueOrDefault(server.Id.ToString("D"))
            ?? _projects.GetValueOrDefault(server.Name)
            ?? _projects.GetValueOrDefault(NovaOptions.EveryServer);

    /// <summary>The caller may know of the server.</summary>
    public bool Sees(NovaCaller caller, ServerDescription server) =>
        caller.IsAdmin || (caller.ProjectId.Length > 0 && string.Equals(ProjectOf(server), caller.ProjectId, StringComparison.OrdinalIgnoreCase));

    /// <summary>The server of an id that the caller may know of.</summary>
    /// <exception cref="RequestRejectedException">404: there is none, or it is not his.</exception>
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
    /// The servers that a listing may show, each once, by name: those of the caller's project, or of all. Servers of no project are in the
    /// listings of admins, who else would never find them.
    /// </summary>
    public async Task<IReadOnlyList<ServerRecord>> ListAsync(NovaCaller caller, bool ofAllProjects, CancellationToken cancellationToken)
    {
        // One that two nodes know is migrating, as is explained at ServerLookup.
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

    // What is of no project is of any admin's.
    private bool IsOfProject(NovaCaller caller, ServerDescription server) =>
        string.Equals(ProjectOf(server) ?? caller.ProjectId, caller.ProjectId, StringComparison.OrdinalIgnoreCase);
}
