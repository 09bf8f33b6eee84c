using SnapshotApi.Errors;
using SnapshotApi.Hypervisor;

namespace SnapshotApi.Captures;

/// <summary>Keeps the block jobs of one capture at the limit that the capture has now, divided by those that still copy.</summary>
internal sealed class MirrorBandwidth(IHypervisor hypervisor, CaptureRequest request, int mirrors)
{
    private long? _applied = ShareOf(request, mirrors);

    /// <summary>What each of so many block jobs may copy now; null: no limit.</summary>
    public static long? ShareOf(CaptureRequest request, int mirrors) =>
        request.Bandwidth() is { } limit ? Math.Max(1, limit / mirrors) : null;

    /// <summary>Passes a limit that has changed on to the block jobs that still copy.</summary>
    /// <exception cref="SnapshotException">hypervisor_error: libvirt refuses it.</exception>
    public async Task ApplyAsync(IReadOnlyList<MirroredDisk> copying, CancellationToken cancellationToken)
    {
        long? share = ShareOf(request, copying.Count);
        if (share == _applied)
        {
            return;
        }

        foreach (MirroredDisk mirror in copying)
        {
            await hypervisor.SetBlockJobSpeedAsync(request.ServerId, mirror.Disk.Target, share, cancellationToken).ConfigureAwait(false);
        }

        _applied = share;
    }
}
