using SnapshotApi.Errors;
using SnapshotApi.Hypervisor;
using SnapshotApi.Images;
using SnapshotApi.Linux;

namespace SnapshotApi.Snapshots;

/// <summary>
/// Completes the chain of a disk whose server does not run: libvirt then reports only the top layer. The layers below are read from the
/// qcow2 headers, which the guest cannot write: only of files whose format the layer above names, and never by probing. A raw
/// layer, which the guest can fill with anything, ends the chain.
/// </summary>
internal static class ChainResolver
{
    // libvirt itself refuses chains deeper than 200.
    private const int MaxDepth = 200;

    /// <summary>The disk with its whole chain.</summary>
    /// <exception cref="SnapshotException">unsupported_disk: a header is hostile, or names what may not be followed.</exception>
    public static DiskDescription Complete(DiskDescription disk)
    {
        var layers = disk.Layers.ToList();
        for (int i = 0; i < layers.Count; i++)
        {
            DiskLayer layer = layers[i];
            if (layer.Format != "qcow2" || layer.Path is null)
            {
                continue;
            }

            Qcow2Header header = ReadHeader(disk, layer.Path);
            if (header.HasDataFile || header.UnknownFeatures != 0)
            {
                throw Unsupported(disk, "has an external data file, or features that are not known");
            }

            if (i == layers.Count - 1 && header.BackingFile is not null)
            {
                layers.Add(Below(disk, layer, header));
            }

            if (layers.Count > MaxDepth)
            {
                throw Unsupported(disk, $"has a chain of more than {MaxDepth} layers");
            }
        }

        return disk with { Layers = layers };
    }

    private static DiskLayer Below(DiskDescription disk, DiskLayer layer, Qcow2Header header)
    {
        string format = header.BackingFormat ?? throw Unsupported(disk, "has a backing file whose format is not recorded");
        string name = header.BackingFile!;
        if (format is not ("qcow2" or "raw") || name.StartsWith("json:", StringComparison.Ordinal))
        {
            throw Unsupported(disk, $"has a backing file of a kind that is not followed (format {format})");
        }

        string path = Path.GetFullPath(name, Path.GetDirectoryName(layer.Path)!);
        if (!File.Exists(path))
        {
            throw Unsupported(disk, "has a backing file that is not a file or device of this host");
        }

        bool isBlock = (File.GetAttributes(path) & FileAttributes.Device) != 0;
        return new DiskLayer(isBlock ? "block" : "file", path, format);
    }

    private static Qcow2Header ReadHeader(DiskDescription disk, string path)
    {
        try
        {
            using var file = LinuxFile.OpenReadFollowing(path);
            var bytes = new byte[ImageInspector.StartBytes];
            int read = RandomAccess.Read(file, bytes, 0);
            return Qcow2HeaderReader.Read(bytes.AsSpan(0, read));
        }
        catch (ImageRejectedException e)
        {
            throw new SnapshotException(SnapshotErrorCode.UnsupportedDisk, $"disk {disk.Target}: {e.Message}", e);
        }
        catch (IOException e)
        {
            throw new SnapshotException(SnapshotErrorCode.CopySourceFailed, $"disk {disk.Target} can't be opened", e);
        }
    }

    private static SnapshotException Unsupported(DiskDescription disk, string reason) =>
        new(SnapshotErrorCode.UnsupportedDisk, $"disk {disk.Target} {reason}");
}
