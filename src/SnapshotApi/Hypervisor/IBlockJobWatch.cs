namespace SnapshotApi.Hypervisor;

/// <summary>Follows the block jobs of one server by libvirt's events.</summary>
internal interface IBlockJobWatch : IDisposable
{
    /// <summary>Last event seen for a disk since the watch began; null for none.</summary>
    BlockJobEvent? LastEvent(string target);

    /// <summary>Completes at the next event of any disk, or after the time given.</summary>
    Task WaitAsync(TimeSpan atMost, CancellationToken cancellationToken);
}

/// <summary>What an event said of a block job.</summary>
internal enum BlockJobEvent
{
    /// <summary>The mirror has caught up and can be ended at any instant.</summary>
    Ready,

    /// <summary>It ended by itself.</summary>
    Completed,

    /// <summary>It failed.</summary>
    Failed,

    /// <summary>It was aborted.</summary>
    Canceled,
}
