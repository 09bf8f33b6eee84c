using SnapshotApi.Hypervisor;
using SnapshotApi.Linux;
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
    /// <param name="reader">The user who reads; the socket's directory is that user's. Null: the service.</param>
    /// <param name="cancellationToken">Stops waiting and kills it.</param>
    /// <exception cref="SnapshotException">tool_failed.</exception>
    public Task<QemuNbdServer> StartAsync(
        IReadOnlyList<DiskLayer> layers, string socketPath, string? internalSnapshot,
        (uint User, uint Group)? reader, CancellationToken cancellationToken) =>
        StartAsync(
            new Service(layers, BlockNode.ToFileName(layers), socketPath, internalSnapshot), reader, cancellationToken);

    /// <summary>Tries to serve a chain, also one that a guest writes to, by opening it.</summary>
    /// <exception cref="SnapshotException">tool_failed: it could not.</exception>
    public async Task TryAsync(
        IReadOnlyList<DiskLayer> layers, string socketPath, (uint User, uint Group)? reader,
        CancellationToken cancellationToken)
    {
        var trial = new Service(layers, BlockNode.ToFileName(layers, isShared: true), socketPath, null);
        QemuNbdServer server = await StartAsync(trial, reader, cancellationToken).ConfigureAwait(false);
        await server.DisposeAsync().ConfigureAwait(false);
    }

    // Only opening tells what the reader may open: first with that user's permissions, then beyond them, at last as the
    // service, for a file server knows no capabilities. Each only for a layer that is the guest's: a file that a header
    // names, or a link in the place of our copy, opens no other file of this host.
    private async Task<QemuNbdServer> StartAsync(
        Service service, (uint User, uint Group)? reader, CancellationToken cancellationToken)
    {
        var rights = ChildRights.Of(reader);
        while (true)
        {
            try
            {
                return await StartAsync(service, rights, cancellationToken).ConfigureAwait(false);
            }
            catch (SnapshotException e) when (rights.User is not null && service.WasDenied(e))
            {
                rights = rights.Capability is null ? rights.ReadingAll() : ChildRights.Service;
            }
        }
    }

    private async Task<QemuNbdServer> StartAsync(
        Service service, ChildRights rights, CancellationToken cancellationToken)
    {
        List<string> arguments =
        [
            "--read-only", $"--socket={service.SocketPath}", $"--shared={MaxClients}", "--export-name=",
            "--cache=writeback", "--aio=threads",
        ];
        if (service.InternalSnapshot is { } snapshot)
        {
            arguments.Add($"--load-snapshot=snapshot.name={snapshot}");
        }

        arguments.Add(service.FileName);
        RunningChild child = await children.StartAsync(
            "qemu-nbd", arguments, ChildLimits.ReadOnlyServer(service.Layers.Count) with { Rights = rights },
            CancellationToken.None).ConfigureAwait(false);
        try
        {
            NbdConnection keeper = await ConnectAsync(child, service.SocketPath, cancellationToken)
                .ConfigureAwait(false);
            if (rights.User is not null)
            {
                // From now on nobody but the service connects, not even other processes of the reader.
                LinuxFile.ChangeOwner(service.SocketPath, LinuxAccounts.OwnUser, LinuxAccounts.OwnGroup);
            }

            return new QemuNbdServer(new NbdEndpoint(service.SocketPath, ""), child, keeper);
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
                catch (NbdException) when (!either.IsCancellationRequested)
                {
                    // Bound, but not listening yet; or it has just ended, of which it says the reason itself.
                }
            }

            await Task.Delay(PollInterval, time, either.Token).ConfigureAwait(false);
        }
    }

    /// <summary>What is served, under which name, where.</summary>
    private sealed record Service(
        IReadOnlyList<DiskLayer> Layers, string FileName, string SocketPath, string? InternalSnapshot)
    {
        /// <summary>The kernel refused a layer of the guest's, not one of the job's own directory.</summary>
        public bool WasDenied(SnapshotException failure) => Layers.Any(layer =>
            layer.Path is { } path
            && Path.GetDirectoryName(path) != Path.GetDirectoryName(SocketPath)
            && RunningChild.WasDenied(failure, path));
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
