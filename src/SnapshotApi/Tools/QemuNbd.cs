using SnapshotApi.Hypervisor;
using SnapshotApi.Nbd;

namespace SnapshotApi.Tools;

/// <summary>Serves a chain of layers read-only over NBD with a qemu-nbd.</summary>
internal sealed class QemuNbd(ChildProcess children, TimeProvider time)
{
    // Readers open a handful of connections; one keeps the server.
    private const int MaxClients = 32;

    // qemu-nbd listens within milliseconds; a host under load may take longer, a wrong image fails at once.
    private static readonly TimeSpan StartTimeout = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(5);

    /// <summary>
    /// Starts serving; the caller disposes it. The process ends when its last client is gone, so also when this service
    /// is killed: one connection is held as long as the server is needed.
    /// </summary>
    /// <param name="layers">The chain, top layer first; every format named.</param>
    /// <param name="socketPath">Already journalled.</param>
    /// <param name="internalSnapshot">Name of an internal snapshot to serve; null: the current state.</param>
    /// <param name="cancellationToken">Stops waiting and kills it.</param>
    /// <exception cref="SnapshotException">tool_failed.</exception>
    public Task<QemuNbdServer> StartAsync(
        IReadOnlyList<DiskLayer> layers, string socketPath, string? internalSnapshot,
        CancellationToken cancellationToken) =>
        StartAsync(layers, BlockNode.ToFileName(layers), socketPath, internalSnapshot, cancellationToken);

    /// <summary>Tries to serve a chain, also one that a guest writes to, by opening it.</summary>
    /// <exception cref="SnapshotException">tool_failed: it could not.</exception>
    public async Task TryAsync(IReadOnlyList<DiskLayer> layers, string socketPath, CancellationToken cancellationToken)
    {
        QemuNbdServer server = await StartAsync(
            layers, BlockNode.ToFileName(layers, isShared: true), socketPath, null, cancellationToken)
            .ConfigureAwait(false);
        await server.DisposeAsync().ConfigureAwait(false);
    }

    private async Task<QemuNbdServer> StartAsync(
        IReadOnlyList<DiskLayer> layers, string fileName, string socketPath, string? internalSnapshot,
        CancellationToken cancellationToken)
    {
        List<string> arguments =
        [
            "--read-only", $"--socket={socketPath}", $"--shared={MaxClients}", "--export-name=", "--cache=writeback",
            "--aio=threads",
        ];
        if (internalSnapshot is not null)
        {
            arguments.Add($"--load-snapshot=snapshot.name={internalSnapshot}");
        }

        arguments.Add(fileName);
        RunningChild child = await children.StartAsync(
            "qemu-nbd", arguments, ChildLimits.ReadOnlyServer(layers.Count), CancellationToken.None)
            .ConfigureAwait(false);
        try
        {
            NbdConnection keeper = await ConnectAsync(child, socketPath, cancellationToken).ConfigureAwait(false);
            return new QemuNbdServer(new NbdEndpoint(socketPath, ""), child, keeper);
        }
        catch
        {
            await child.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    private async Task<NbdConnection> ConnectAsync(
        RunningChild child, string socketPath, CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(StartTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timeout.Token);
        try
        {
            return await ConnectAsync(child, socketPath, either).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw child.Failure($"it did not listen within {StartTimeout.TotalSeconds:0} s");
        }
    }

    private async Task<NbdConnection> ConnectAsync(
        RunningChild child, string socketPath, CancellationTokenSource either)
    {
        while (true)
        {
            if (child.HasExited)
            {
                await child.WaitAsync().ConfigureAwait(false);
                throw child.Failure("it ended before it served");
            }

            if (File.Exists(socketPath))
            {
                try
                {
                    return await Task.Run(
                        () => NbdConnection.ConnectUnix(socketPath, "", wantBlockStatus: false, either.Token),
                        either.Token).ConfigureAwait(false);
                }
                catch (NbdException) when (!child.HasExited && !either.IsCancellationRequested)
                {
                    // Bound, but not listening yet.
                }
            }

            await Task.Delay(PollInterval, time, either.Token).ConfigureAwait(false);
        }
    }
}

/// <summary>A qemu-nbd that serves; disposing waits for its end.</summary>
internal sealed class QemuNbdServer(NbdEndpoint endpoint, RunningChild child, NbdConnection keeper) : IAsyncDisposable
{
    public NbdEndpoint Endpoint { get; } = endpoint;

    public async ValueTask DisposeAsync()
    {
        keeper.Dispose();
        await child.DisposeAsync().ConfigureAwait(false);
    }
}

/// <summary>Where one read-only disk can be read over NBD on this host.</summary>
/// <param name="SocketPath">At most 107 bytes.</param>
/// <param name="ExportName">Empty for the default export.</param>
internal sealed record NbdEndpoint(string SocketPath, string ExportName);
