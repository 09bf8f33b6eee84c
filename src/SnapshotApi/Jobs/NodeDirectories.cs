using Microsoft.Extensions.Options;
using SnapshotApi.Configuration;

namespace SnapshotApi.Jobs;

/// <summary>What is where in the node's work directory, as far as jobs are concerned.</summary>
internal sealed class NodeDirectories(IOptions<NodeOptions> options)
{
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    // QEMU, which is another user, passes through it to the files and sockets of its job.
    private const UnixFileMode Traversable = Private | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    /// <summary>Journals, one per job.</summary>
    public string Journals => Path.Combine(options.Value.WorkDirectory, "journal");

    /// <summary>Held while a service works on this node.</summary>
    public string NodeLock => Path.Combine(options.Value.WorkDirectory, "node.lock");

    private string Locks => Path.Combine(options.Value.WorkDirectory, "locks");

    /// <summary>Held while a run works on a server.</summary>
    public string ServerLock(Guid serverId) => Path.Combine(Locks, $"{serverId:D}.lock");

    /// <summary>Makes what is missing of it.</summary>
    /// <exception cref="IOException">It can't be made.</exception>
    /// <exception cref="UnauthorizedAccessException">It must not be made by this user.</exception>
    public void Make()
    {
        Directory.CreateDirectory(options.Value.WorkDirectory, Traversable);
        Directory.CreateDirectory(Locks, Private);
    }
}
