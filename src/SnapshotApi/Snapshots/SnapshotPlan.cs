using SnapshotApi.Captures;
using SnapshotApi.Hypervisor;
using SnapshotApi.Images;

namespace SnapshotApi.Snapshots;

/// <summary>What will be done, decided once; immutable.</summary>
/// <param name="Capture">The capture chosen.</param>
/// <param name="CaptureReason">Why, in a sentence for the job.</param>
/// <param name="Store">Name of the store.</param>
/// <param name="Disks">The disks to be imaged, in XML order.</param>
/// <param name="Notes">What the user should know: skipped drives, a weaker choice than asked.</param>
internal sealed record SnapshotPlan(
    CaptureKind Capture,
    string CaptureReason,
    string Store,
    IReadOnlyList<PlannedDisk> Disks,
    IReadOnlyList<string> Notes);

/// <summary>One disk of a plan.</summary>
/// <param name="Target">The disk's name, for example <c>vda</c>.</param>
/// <param name="Image">What kind of file its image is.</param>
internal sealed record PlannedDisk(string Target, ImageSpec Image);

/// <summary>Which disks a request means, and whether each can be captured.</summary>
internal static class DiskSelection
{
    private const string Root = "root";
    private const string All = "all";

    /// <summary>The disks asked for, in XML order.</summary>
    /// <param name="server">The server.</param>
    /// <param name="asked"><c>root</c>, <c>all</c> or targets.</param>
    /// <param name="notes">Gets a line for each drive that <c>all</c> leaves out.</param>
    /// <exception cref="SnapshotException">unsupported_disk: there is no such disk, or none at all.</exception>
    public static IReadOnlyList<DiskDescription> Select(
        ServerDescription server, IReadOnlyList<string> asked, List<string> notes)
    {
        List<DiskDescription> hardDisks = [.. server.Disks.Where(d => d.IsHardDisk)];
        if (hardDisks.Count == 0)
        {
            throw Unsupported(server.DomainType == "lxc"
                ? $"container {server.Name} has no root file system in an image or on a block device"
                : $"server {server.Name} has no hard disk");
        }

        if (asked.Contains(All))
        {
            notes.AddRange(
                server.Disks.Except(hardDisks).Select(
                    d => $"{d.Target} ({d.Device}) left out: not a hard disk with a source"));
            return hardDisks;
        }

        DiskDescription root = hardDisks.Where(d => d.BootOrder is not null).MinBy(d => d.BootOrder) ?? hardDisks[0];
        var wanted = asked.Select(name => name == Root ? root.Target : name).ToHashSet();
        foreach (string name in wanted)
        {
            DiskDescription disk = server.Disks.FirstOrDefault(d => d.Target == name)
                ?? throw Unsupported(
                    $"server {server.Name} has no disk '{name}'; it has: "
                    + string.Join(", ", hardDisks.Select(d => d.Target)));
            if (!disk.IsHardDisk)
            {
                throw Unsupported($"disk {name} is a {disk.Device} or has no source");
            }
        }

        return [.. hardDisks.Where(d => wanted.Contains(d.Target))];
    }

    /// <summary>Refuses what the capture can't take a true image of.</summary>
    /// <exception cref="SnapshotException">unsupported_disk, or server_busy: a block job is at work on it.</exception>
    public static void Check(
        ServerDescription server, DiskDescription disk, CaptureKind capture, SnapshotRequest request)
    {
        if (disk.MirrorPath is not null)
        {
            throw new SnapshotException(
                SnapshotErrorCode.ServerBusy, $"a block job is at work on disk {disk.Target} of server {server.Name}");
        }

        string? reason = Reason(server, disk, capture, request);
        if (reason is not null)
        {
            throw Unsupported($"disk {disk.Target} of server {server.Name} {reason}");
        }
    }

    private static string? Reason(
        ServerDescription server, DiskDescription disk, CaptureKind capture, SnapshotRequest request)
    {
        if (disk.IsShareable)
        {
            return "is shareable: other servers may write to it";
        }

        if (disk.IsTransient)
        {
            return "is transient: libvirt allows no job on it";
        }

        if (disk.IsEncrypted)
        {
            return "is encrypted: this version has no access to its secret";
        }

        if (disk.Obstacle is { } obstacle)
        {
            return obstacle;
        }

        // The format is never probed: the guest writes the disk's first bytes.
        if (disk.Layers.Any(l => l.Format is null))
        {
            return "has a layer whose format the definition does not name";
        }

        if (capture == CaptureKind.Backup)
        {
            return null;
        }

        // Only a QEMU that runs has what we can't open.
        string remedy = server.PowerState is ServerPowerState.Running or ServerPowerState.Paused
            ? "only the backup capture reads it"
            : "it can be captured only while the server runs";
        if (disk.Layers.FirstOrDefault(l => l.Path is null || l.SourceType is not ("file" or "block")) is { } remote)
        {
            return remote.PathObstacle ?? $"has a layer of type {remote.SourceType}: {remedy}";
        }

        if (disk.Layers.FirstOrDefault(l => l.Format is not ("qcow2" or "raw")) is { } other)
        {
            return $"has a layer in format {other.Format}: {remedy}";
        }

        return request.InternalSnapshot && disk.Layers[0].Format != "qcow2"
            ? "is not qcow2: it can't hold an internal snapshot"
            : null;
    }

    private static SnapshotException Unsupported(string message) => new(SnapshotErrorCode.UnsupportedDisk, message);
}
