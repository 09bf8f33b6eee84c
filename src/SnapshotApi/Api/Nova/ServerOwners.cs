using SnapshotApi.Hypervisor;
using SnapshotApi.Jobs;
using SnapshotApi.Persistence;

namespace SnapshotApi.Api.Nova;

/// <summary>The project of each server, from Nova's metadata in its definition, else as configured.</summary>
internal sealed class ServerOwners(
    ServerTable servers, ServerLookup lookup, IOptions<NovaOptions> options, IOptions<JobsOptions> jobs)
{
    // Rows that are read at once: a page of Nova's has 1000 servers at most, and a row some 2 KB.
    private const int BatchSize = 500;

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
    /// <param name="after">Only servers behind this one, which the caller sees; null: from the first.</param>
    /// <param name="matches">What else must hold.</param>
    /// <param name="limit">At most this many.</param>
    public async Task<IReadOnlyList<ServerRecord>> ListAsync(
        NovaCaller caller,
        bool ofAllProjects,
        ServerDescription? after,
        Func<ServerRecord, bool> matches,
        int limit,
        CancellationToken cancellationToken)
    {
        var found = new List<ServerRecord>();
        NovaProject? project = ofAllProjects ? null : ProjectFor(caller);
        (string Name, Guid Id)? last = after is null ? null : (NameOf(after), after.Id);
        while (true)
        {
            IReadOnlyList<ServerRecord> batch = await servers
                .ListForNovaAsync(
                    new NovaServerFilter(project, last, NodeLiveness.Limit(jobs.Value), BatchSize), cancellationToken)
                .ConfigureAwait(false);
            found.AddRange(batch
                .Where(s => Sees(caller, s.Description) && (ofAllProjects || IsOfProject(caller, s.Description)))
                .Where(matches)
                .Take(limit - found.Count));
            if (found.Count == limit || batch.Count < BatchSize)
            {
                return found;
            }

            last = (NameOf(batch[^1].Description), batch[^1].Description.Id);
        }
    }

    // What the database finds may be too much: ProjectOf decides.
    private NovaProject ProjectFor(NovaCaller caller)
    {
        string[] own =
        [
            .. _projects.Where(p => string.Equals(p.Value, caller.ProjectId, StringComparison.OrdinalIgnoreCase))
                .Select(p => p.Key),
        ];
        return new NovaProject(
            caller.ProjectId,
            OwnsOthers: own.Contains(NovaOptions.EveryServer) || caller.IsAdmin,
            [.. own.Where(server => Guid.TryParse(server, out _)).Select(Guid.Parse)],
            own);
    }

    // A server without a project counts as one of the caller's, who is an admin if it is seen at all.
    private bool IsOfProject(NovaCaller caller, ServerDescription server) =>
        string.Equals(ProjectOf(server) ?? caller.ProjectId, caller.ProjectId, StringComparison.OrdinalIgnoreCase);
}
