using SnapshotApi.Host;
using SnapshotApi.Images;
using SnapshotApi.Linux;
using SnapshotApi.Nbd;
using SnapshotApi.Tools;

namespace SnapshotApi.Jobs;

/// <summary>
/// The disk of a canary: a few MiB, of which some are data that is known, and a boot sector that halts. A BIOS without
/// a disk to boot from spins, and one that has booted has started the disk's driver: only then does QEMU serve it in
/// its I/O thread.
/// </summary>
internal static class CanaryDisk
{
    private const int SizeBytes = 4 << 20;
    private const int ClusterBytes = ClusterMap.ClusterBytes;
    private const int SectorBytes = 512;

    // Clusters with data: the first, a run, the last. The others are holes.
    private static readonly int[] Data = [0, 5, 6, 7, 40, (SizeBytes / ClusterBytes) - 1];

    // cli; again: hlt; jmp again
    private static readonly byte[] Halt = [0xfa, 0xf4, 0xeb, 0xfd];

    /// <summary>Makes the file, qcow2, which must not exist.</summary>
    /// <param name="number">Each disk of a canary has other data.</param>
    public static void Write(string path, int number)
    {
        byte[] content = Content(number);
        var map = new ClusterMap(SizeBytes);
        foreach (int cluster in Data)
        {
            map.AddData(cluster * ClusterBytes, ClusterBytes);
        }

        var layout = new Qcow2Layout(map);
        using var file = new FileStream(LinuxFile.CreateNew(path), FileAccess.ReadWrite);
        var metadata = new byte[ClusterBytes];
        for (long cluster = 0; cluster < layout.MetadataClusters; cluster++)
        {
            layout.WriteMetadata(cluster, metadata);
            file.Write(metadata);
        }

        foreach (int cluster in Data)
        {
            file.Write(content, cluster * ClusterBytes, ClusterBytes);
        }
    }

    /// <summary>Reads a view of the disk as a snapshot does, over several connections, and compares.</summary>
    /// <returns>Every byte is what <see cref="Write"/> wrote.</returns>
    /// <exception cref="ImageCopyException">It can't be read.</exception>
    public static async Task<bool> IsSameAsync(NbdEndpoint view, int number, CancellationToken cancellationToken)
    {
        using DiskSource source = await DiskSource.OpenAsync(view, new ImageStreamOptions(), cancellationToken)
            .ConfigureAwait(false);
        return await OwnThread.RunAsync(() => IsSame(source, Content(number), cancellationToken))
            .ConfigureAwait(false);
    }

    private static bool IsSame(DiskSource source, byte[] content, CancellationToken cancellationToken)
    {
        bool isSame = source.Map.SizeBytes == SizeBytes;
        var read = new byte[ClusterBytes];
        int turn = 0;
        for (int offset = 0; isSame && offset < SizeBytes; offset += ClusterBytes)
        {
            NbdConnection connection = source.Connections[turn++ % source.Connections.Count];
            connection.Read(offset, read, cancellationToken);
            isSame = read.AsSpan().SequenceEqual(content.AsSpan(offset, ClusterBytes));
        }

        return isSame;
    }

    private static byte[] Content(int number)
    {
        var content = new byte[SizeBytes];
        foreach (int cluster in Data)
        {
            // No byte repeats in step with a sector or a cluster: a part that lies elsewhere is not the same.
            uint state = (uint)((cluster + 1) * (number + 1) * 2_654_435_761);
            foreach (ref byte value in content.AsSpan(cluster * ClusterBytes, ClusterBytes))
            {
                state = (state * 1_664_525) + 1_013_904_223;
                value = (byte)(state >> 24);
            }
        }

        Halt.CopyTo(content, 0);
        content[SectorBytes - 2] = 0x55;
        content[SectorBytes - 1] = 0xaa;
        return content;
    }
}
