using SnapshotApi.Images;

namespace SnapshotApi.Snapshots;

/// <summary>
/// The node's limit, shared by all its jobs. Images are streamed under one common limit; a mirror is copied by QEMU,
/// which knows only a rate of its own, as does qemu-img, so the node's rate is divided by the jobs at work.
/// Thread-safe.
/// </summary>
internal sealed class NodeBandwidth(IOptions<NodeOptions> node, TimeProvider time)
{
    private readonly Lock _lock = new();
    private int _streaming;
    private int _mirroring;

    /// <summary>What all images together are streamed under: what is left of the node's rate by the mirrors.</summary>
    public BandwidthLimit Streams { get; } = new(time, node.Value.BandwidthBytesPerSecond);

    /// <summary>What one job may copy now by QEMU or its tools, in bytes a second; null: no limit.</summary>
    public long? MirrorShare
    {
        get
        {
            lock (_lock)
            {
                return Share(1);
            }
        }
    }

    /// <summary>A job streams its images until what is returned is disposed.</summary>
    public IDisposable EnterStreaming() => Enter(streaming: 1, mirroring: 0);

    /// <summary>A job mirrors its disks until what is returned is disposed.</summary>
    public IDisposable EnterMirroring() => Enter(streaming: 0, mirroring: 1);

    private Entry Enter(int streaming, int mirroring)
    {
        Change(streaming, mirroring);
        return new Entry(() => Change(-streaming, -mirroring));
    }

    private void Change(int streaming, int mirroring)
    {
        lock (_lock)
        {
            _streaming += streaming;
            _mirroring += mirroring;
            Streams.BytesPerSecond = Share(Math.Max(_streaming, 1));
        }
    }

    private long? Share(int jobs) => node.Value.BandwidthBytesPerSecond is { } rate
        ? Math.Max(1, (long)((double)rate * jobs / Math.Max(_streaming + _mirroring, jobs)))
        : null;

    private sealed class Entry(Action leave) : IDisposable
    {
        private Action? _leave = leave;

        public void Dispose() => Interlocked.Exchange(ref _leave, null)?.Invoke();
    }
}
