using Microsoft.Extensions.Options;
using SnapshotApi.Configuration;

namespace SnapshotApi.Jobs;

/// <summary>What is where in the node's work directory, as far as jobs are concerned.</summary>
internal sealed class NodeDirectories(IOptions<NodeOptions> options)
{
    /// <summary>Journals, one per job.</summary>
    public string Journals => Path.Combine(options.Value.WorkDirectory, "journal");

    /// <summary>Held while a service works on this node.</summary>
    public string NodeLock => Path.Combine(options.Value.WorkDirectory, "node.lock");

    /// <summary>Held while a run works on a server.</summary>
    public string ServerLock(Guid serverId) => Path.Combine(options.Value.WorkDirectory, "locks", $"{serverId:D}.lock");
}
