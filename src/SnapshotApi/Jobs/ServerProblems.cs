using System.Collections.Immutable;
using SnapshotApi.Hypervisor;

namespace SnapshotApi.Jobs;

/// <summary>The servers of the node of which only a part is known, for who watches it. Thread-safe.</summary>
internal sealed class ServerProblems
{
    private ImmutableDictionary<Guid, string> _problems = ImmutableDictionary<Guid, string>.Empty;

    /// <summary>One sentence for each of them, by name.</summary>
    public IReadOnlyList<string> All => [.. _problems.Values.Order(StringComparer.Ordinal)];

    /// <summary>Takes the description of all servers.</summary>
    public void Set(IReadOnlyList<ServerDescription> servers) => _problems = servers
        .Where(s => s.NotAnswering is not null)
        .ToImmutableDictionary(s => s.Id, Describe);

    /// <summary>Takes the description of one server; null: it is gone.</summary>
    public void Set(Guid serverId, ServerDescription? server) => ImmutableInterlocked.Update(
        ref _problems, (all, now) => now?.NotAnswering is null ? all.Remove(serverId) : all.SetItem(serverId, Describe(now)), server);

    private static string Describe(ServerDescription server) => $"server {server.Name} ({server.Id}) does not answer: {server.NotAnswering}";
}
