using SnapshotApi.Host;
using SnapshotApi.Hypervisor;
using SnapshotApi.Images;
using SnapshotApi.Linux;

namespace SnapshotApi.Snapshots;

/// <summary>
/// Completes the chains of a server that does not run: libvirt then reports only the layers that its definition gives.
/// The layers below are read from the qcow2 headers, which the guest cannot write: only of files whose format the layer
/// above names, and never by probing. A raw layer, which the guest can fill with anything, ends the chain, and so does
/// the definition's <c>&lt;backingStore/&gt;</c>. Of a server that runs libvirt and QEMU know the chain; headers are
/// only looked at for what may not be opened.
/// </summary>
internal static class ChainResolver
{
    // libvirt itself refuses chains deeper than 200.
    private const int MaxDepth = 200;

    /// <summary>
    /// The server with the whole chain of each disk; where that can't be had, the disk has an
    /// <see cref="DiskDescription.Obstacle"/>.
    /// </summary>
    /// <param name="server">The server, as libvirt describes it.</param>
    /// <param name="cancellationToken">Stops waiting; the thread stays until the file system answers.</param>
    public static Task<ServerDescription> CompleteAsync(
        ServerDescription server, CancellationToken cancellationToken) =>
        OwnThread.RunAsync(() => Complete(server)).WaitAsync(cancellationToken);

    /// <summary>The same; opens the layers, so it blocks as long as their file systems please.</summary>
    public static ServerDescription Complete(ServerDescription server)
    {
        if (server.PowerState is ServerPowerState.ShutOff or ServerPowerState.Saved)
        {
            return server with { Disks = [.. server.Disks.Select(Complete)] };
        }

        var open = new Lazy<QemuFiles?>(() => QemuFiles.Find(server));
        return server with { Disks = [.. server.Disks.Select(d => WithHeadersChecked(d, open))] };
    }

    private static DiskDescription Complete(DiskDescription disk)
    {
        var layers = disk.Layers.ToList();
        for (int i = 0; i < layers.Count; i++)
        {
            if (layers[i].Path is not { Length: > 0 } path)
            {
                break;
            }

            if (FileIdentity.Find(path) is not { } file)
            {
                // The file of a top layer may come back with its file system: the job says so if it does not.
                return i == 0
                    ? disk
                    : With(disk, layers, "has a backing file that is not a file or device of this host");
            }

            if (!file.IsRegularFile && !file.IsBlockDevice)
            {
                return With(disk, layers, "has a layer that is neither a file nor a block device");
            }

            layers[i] = layers[i] with { SourceType = file.IsBlockDevice ? "block" : "file" };
            if (layers[i].Format != "qcow2")
            {
                break;
            }

            (Qcow2Header? header, string? malformed) = ReadHeader(path);
            string? obstacle = malformed ?? (header is null ? null : ObstacleOf(disk, header));
            if (obstacle is not null)
            {
                return With(disk, layers, obstacle);
            }

            // Header null: a job could not open it either, and says so.
            if (header is not null && i == layers.Count - 1 && !disk.IsChainEnded
                && header.BackingFile is { Length: > 0 } name)
            {
                if ((obstacle = ObstacleOf(name, header.BackingFormat)) is not null)
                {
                    return With(disk, layers, obstacle);
                }

                layers.Add(new DiskLayer("file", PathBelow(path, name), header.BackingFormat));
            }

            if (layers.Count > MaxDepth)
            {
                return With(disk, layers, $"has a chain of more than {MaxDepth} layers");
            }
        }

        return disk with { Layers = layers };
    }

    private static DiskDescription WithHeadersChecked(DiskDescription disk, Lazy<QemuFiles?> open)
    {
        for (int i = 0; i < disk.Layers.Count; i++)
        {
            DiskLayer layer = disk.Layers[i];
            if (layer.Format != "qcow2"
                || layer.Path is not { Length: > 0 } path
                || FileIdentity.Find(path) is not ({ IsRegularFile: true } or { IsBlockDevice: true }))
            {
                continue;
            }

            (Qcow2Header? header, string? malformed) = ReadHeader(path);
            string? obstacle = malformed ?? (header is null ? null : ObstacleOf(disk, header));

            // What lies at the path of a layer may be another file than the one that the guest has.
            if (obstacle is not null && open.Value?.Compare(layer) is not (LayerIdentity.Other or LayerIdentity.Gone))
            {
                return disk with { Obstacle = obstacle };
            }
        }

        return disk;
    }

    private static DiskDescription With(DiskDescription disk, List<DiskLayer> layers, string obstacle) =>
        disk with { Layers = layers, Obstacle = obstacle };

    private static string? ObstacleOf(DiskDescription disk, Qcow2Header header)
    {
        if (header.HasDataFile)
        {
            return "keeps its data in an external data file: 'qemu-img convert -O qcow2' makes a disk of one file "
                + "of it, while the server is off";
        }

        return header.UnknownFeatures != 0 ? $"has qcow2 features that are not known (0x{header.UnknownFeatures:x})"
            : header.IsEncrypted && !disk.IsEncrypted ? "is encrypted: this version has no access to its secret"
            : null;
    }

    // Colon before slash: a protocol, for QEMU and libvirt alike.
    private static string? ObstacleOf(string name, string? format)
    {
        int mark = name.AsSpan().IndexOfAny(':', '/');
        if (mark >= 0 && name[mark] == ':')
        {
            string protocol = name[..mark].All(char.IsAsciiLetterOrDigit) ? $"by '{name[..mark]}:'" : "by a protocol";
            return $"has a backing file that its header names {protocol}, which is not followed: "
                + "'qemu-img rebase -u -F FORMAT -b FILE DISK' names it by its path, while the server is off";
        }

        return format is null
            ? "has a backing file whose format is not recorded: 'qemu-img rebase -u -F FORMAT -b FILE DISK' records "
                + "it, while the server is off"
            : null;
    }

    // QEMU puts the name behind the directory part of the path as it was given, and lets the kernel resolve the rest:
    // symbolic links first, then "..".
    private static string PathBelow(string path, string name) =>
        name.StartsWith('/') ? name : string.Concat(path.AsSpan(0, path.LastIndexOf('/') + 1), name);

    // Neither: it can't be opened or read.
    private static (Qcow2Header? Header, string? Malformed) ReadHeader(string path)
    {
        try
        {
            using var file = LinuxFile.OpenReadFollowing(path);
            var bytes = new byte[ImageInspector.StartBytes];
            int read = RandomAccess.Read(file, bytes, 0);
            return (Qcow2HeaderReader.Read(bytes.AsSpan(0, read)), null);
        }
        catch (ImageRejectedException e)
        {
            return (null, $"has a layer that is refused: {e.Message}");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return (null, null);
        }
    }
}
