using SnapshotApi.Linux;

namespace SnapshotApi.Hypervisor;

/// <summary>The files that a guest's QEMU, the process of libvirt's PID file, has open.</summary>
internal sealed class QemuFiles
{
    private const string PidDirectory = "/run/libvirt/qemu";

    private readonly HashSet<FileIdentity> _open;

    private QemuFiles(int processId, IReadOnlyList<OpenFile> files)
    {
        ProcessId = processId;
        Files = files;
        _open = [.. files.Select(f => f.Identity)];
    }

    public int ProcessId { get; }

    /// <summary>Every regular file and block device.</summary>
    public IReadOnlyList<OpenFile> Files { get; }

    /// <summary>Looks at the QEMU of a server; blocks for milliseconds.</summary>
    /// <returns>Null: no process, or none that this service sees: a container, another user's libvirt.</returns>
    public static QemuFiles? Find(ServerDescription server) => Find(server.Name, server.Id, PidDirectory);

    internal static QemuFiles? Find(string name, Guid id, string pidDirectory)
    {
        try
        {
            return int.TryParse(
                File.ReadAllText(Path.Combine(pidDirectory, $"{name}.pid")), CultureInfo.InvariantCulture,
                out int process)
                && IsOf(process, name, id)
                && OpenFile.ListOf(process) is { } files
                ? new QemuFiles(process, files)
                : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Compares what lies at the layer's path with what QEMU has open.</summary>
    public LayerIdentity Compare(DiskLayer layer)
    {
        if (layer.Path is not { Length: > 0 } path || layer.SourceType is not ("file" or "block"))
        {
            return LayerIdentity.Unknown;
        }

        return FileIdentity.Find(path) is not { } there ? LayerIdentity.Gone
            : _open.Contains(there) ? LayerIdentity.Same
            : LayerIdentity.Other;
    }

    // The number may belong to another process by now.
    private static bool IsOf(int process, string name, Guid id)
    {
        string[] arguments = File
            .ReadAllText($"/proc/{process.ToString(CultureInfo.InvariantCulture)}/cmdline").Split('\0');
        string guest = $"guest={name.Replace(",", ",,", StringComparison.Ordinal)}";
        return arguments.Contains(id.ToString("D"), StringComparer.OrdinalIgnoreCase)
            || arguments.Any(a => a == guest || a.StartsWith($"{guest},", StringComparison.Ordinal));
    }
}

/// <summary>Whether the file at a layer's path is the one that QEMU has open.</summary>
internal enum LayerIdentity
{
    /// <summary>QEMU can't be looked at, or the layer has no path.</summary>
    Unknown,
    Same,
    /// <summary>The layer was replaced under the guest.</summary>
    Other,
    /// <summary>There is nothing at the path.</summary>
    Gone,
}
