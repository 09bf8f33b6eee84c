using SnapshotApi.Nbd;

namespace SnapshotApi.Hypervisor;

/// <summary>A qemu-nbd that serves; disposing lets go of it and waits for its end.</summary>
internal sealed class QemuNbdServer(NbdEndpoint endpoint, RunningChild child, NbdConnection keeper) : IAsyncDisposable
{
    /// <summary>Where it is read.</summary>
    public NbdEndpoint Endpoint { get; } = endpoint;

    public async ValueTask DisposeAsync()
    {
        keeper.Dispose();
        await child.DisposeAsync().ConfigureAwait(false);
    }
}
