namespace SnapshotApi.Libvirt;

/// <summary>How a <see cref="LibvirtSession"/> connects.</summary>
/// <param name="Uri">For example <c>qemu:///system</c>.</param>
public sealed record LibvirtSessionOptions(string Uri)
{
    /// <summary>Open read-only connections.</summary>
    /// <value>Default: false.</value>
    public bool IsReadOnly { get; init; }

    /// <summary>Pause between attempts to open.</summary>
    /// <value>Default: 1 s: soon enough after a restart of the daemon, and an attempt at a socket that is not there costs nothing.</value>
    public TimeSpan RetryInterval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long a caller waits for a connection that is being opened.</summary>
    /// <value>Default: 30 s: a local daemon answers in milliseconds, one that has just been started may take seconds.</value>
    public TimeSpan OpenTimeout { get; init; } = TimeSpan.FromSeconds(30);
}
