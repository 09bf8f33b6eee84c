using System.Collections.Immutable;
using SnapshotApi.Hypervisor;

namespace SnapshotApi.Jobs;

/// <summary>The node's servers that are known only in part, for its operator. Thread-safe.</summary>
internal sealed class ServerProblems
{
    private ImmutableDictionary<Guid, string> _problems = ImmutableDictionary<Guid, string>.Empty;

    /// <summary>One sentence for each, by name.</summary>
    public IReadOnlyList<string> All => [.. _problems.Values.Order(StringComparer.Ordinal)];

    /// <summary>Takes the description of all servers.</summary>
    public void Set(IReadOnlyList<ServerDescription> servers) => _problems = servers
        .Where(s => s.NotAnswering is not null)
        .ToImmutableDictionary(s => s.Id, Describe);

    /// <summary>Takes the description of one server; null: it is gone.</summary>
    public void Set(Guid serverId, ServerDescription? server) => ImmutableInterlocked.Update(
        ref _problems,
        all => server?.NotAnswering is null ? all.Remove(serverId) : all.SetItem(serverId, Describe(server)));

    private static string Describe(ServerDescription server) =>
        $"server {server.Name} ({server.Id}) does not answer: {server.NotAnswering}";
}
