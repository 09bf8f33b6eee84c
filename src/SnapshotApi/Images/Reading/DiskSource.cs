using SnapshotApi.Nbd;
using SnapshotApi.Tools;

namespace SnapshotApi.Images;

/// <summary>
/// A disk to be read: the map of what is allocated, and connections for as long as it is read. The caller disposes.
/// </summary>
/// <remarks>
/// A disk that waits for its turn holds no connection: QEMU takes 100 of them for all disks of a guest together (since
/// the mend of CVE-2024-7409; 9.1, and older ones of distributions), and answers none above.
/// </remarks>
internal sealed class DiskSource : IDisposable
{
    /// <summary>
    /// A block status request covers at most 4 GiB - 1; a whole number of clusters keeps the answers aligned. The
    /// kernel of the host is asked for every extent of a raw file, so larger requests would only take longer to cancel.
    /// </summary>
    private const long StatusRequestBytes = 2L * 1024 * 1024 * 1024;

    /// <summary>QEMU answers all connections of one export from one thread; more than four gain nothing.</summary>
    private const int DefaultConnections = 4;

    private readonly NbdEndpoint _endpoint;
    private readonly Connected _connected;

    private DiskSource(NbdEndpoint endpoint, ClusterMap map, Connected connected) =>
        (_endpoint, Map, _connected) = (endpoint, map, connected);

    /// <summary>What has to be read.</summary>
    public ClusterMap Map { get; }

    /// <summary>Those that are open; empty before <see cref="ConnectAsync"/> and after <see cref="Release"/>.</summary>
    public IReadOnlyList<NbdConnection> Connections => _connected.All;

    /// <summary>Longest read that the server takes, 0 if it named none.</summary>
    public long MaximumRequestBytes => Connections[0].MaximumRequestBytes;

    /// <summary>Grows with everything that came from the server, as long as the same connections are open.</summary>
    public long ReceivedCount => Connections.Sum(connection => connection.ReceivedCount);

    /// <summary>Connects and asks what is allocated; a server without block status has everything allocated.</summary>
    /// <exception cref="ImageCopyException">Unreachable, empty, or the server failed.</exception>
    /// <exception cref="ImageStalledException">The server went silent.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static async Task<DiskSource> OpenAsync(
        NbdEndpoint endpoint, ImageStreamOptions options, CancellationToken cancellationToken)
    {
        NbdConnection? first = null;
        using var watch = new StallWatch(
            options, () => Volatile.Read(ref first)?.ReceivedCount ?? 0, cancellationToken);
        CancellationToken token = watch.Token;
        DiskSource? source = null;
        try
        {
            await DedicatedThread.RunAsync(
                "nbd-plan",
                () =>
                {
                    Volatile.Write(ref first, Connect(endpoint, wantBlockStatus: true, token));
                    source = new DiskSource(endpoint, ReadMap(first!, token), new Connected { All = [first!] });
                    source.ConnectOthers(options, token);
                }).ConfigureAwait(false);
            DiskSource opened = source!;
            (source, first) = (null, null);
            return opened;
        }
        catch (NbdException e)
        {
            throw ImageErrors.From(e, "reaching the disk");
        }
        catch (OperationCanceledException e)
        {
            throw watch.Explain(e);
        }
        finally
        {
            source?.Dispose();
            first?.Dispose();
        }
    }

    /// <summary>
    /// The same disk and connections, of which only this is read. The caller disposes one of the two.
    /// </summary>
    /// <param name="map">Of a disk of the same size.</param>
    public DiskSource WithMap(ClusterMap map) => new(_endpoint, map, _connected);

    /// <summary>Opens the connections anew if they were released. Not while it is read.</summary>
    /// <param name="options">How it is read.</param>
    /// <param name="cancellationToken">Ends it, also if the server is silent.</param>
    /// <exception cref="ImageCopyException">Unreachable, or another disk by now; the side is the source.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public async Task ConnectAsync(ImageStreamOptions options, CancellationToken cancellationToken)
    {
        if (Connections.Count > 0)
        {
            return;
        }

        try
        {
            await DedicatedThread.RunAsync("nbd-connect", () => Reconnect(options, cancellationToken))
                .ConfigureAwait(false);
        }
        catch (NbdException e)
        {
            throw ImageErrors.From(e, "reaching the disk again");
        }
    }

    /// <summary>Closes the connections until it is read again.</summary>
    public void Release()
    {
        IReadOnlyList<NbdConnection> open = _connected.All;
        _connected.All = [];
        foreach (NbdConnection connection in open)
        {
            connection.Dispose();
        }
    }

    public void Dispose() => Release();

    private static NbdConnection Connect(
        NbdEndpoint endpoint, bool wantBlockStatus, CancellationToken cancellationToken) =>
        NbdConnection.ConnectUnix(endpoint.SocketPath, endpoint.ExportName, wantBlockStatus, cancellationToken);

    private static ClusterMap ReadMap(NbdConnection connection, CancellationToken cancellationToken)
    {
        if (connection.SizeBytes == 0)
        {
            throw new ImageCopyException(CopySide.Source, "the disk has no bytes");
        }

        var map = new ClusterMap(connection.SizeBytes);
        if (!connection.CanBlockStatus)
        {
            map.AddData(0, map.SizeBytes);
            return map;
        }

        for (long offset = 0; offset < map.SizeBytes;)
        {
            long length = Math.Min(StatusRequestBytes, map.SizeBytes - offset);
            foreach (NbdExtent extent in connection.BlockStatus(offset, length, cancellationToken))
            {
                // A hole that is not promised to be zero has to be read.
                if (!extent.IsZero)
                {
                    map.AddData(extent.OffsetBytes, extent.LengthBytes);
                }

                offset = extent.OffsetBytes + extent.LengthBytes;
            }
        }

        return map;
    }

    private void Reconnect(ImageStreamOptions options, CancellationToken cancellationToken)
    {
        NbdConnection first = Connect(_endpoint, wantBlockStatus: false, cancellationToken);
        _connected.All = [first];
        if (first.SizeBytes != Map.SizeBytes)
        {
            throw new ImageCopyException(
                CopySide.Source, $"the disk has {first.SizeBytes} bytes, it had {Map.SizeBytes} when it was measured");
        }

        ConnectOthers(options, cancellationToken);
    }

    // Each is known as soon as it is open: who fails or cancels meanwhile closes those that are there.
    private void ConnectOthers(ImageStreamOptions options, CancellationToken cancellationToken)
    {
        int wanted = options.Connections ?? (Connections[0].CanMultiConn ? DefaultConnections : 1);
        while (Connections.Count < wanted)
        {
            _connected.All = [.. Connections, Connect(_endpoint, wantBlockStatus: false, cancellationToken)];
        }
    }

    // Replaced, never changed: a watch counts what they receive meanwhile.
    private sealed class Connected
    {
        private volatile IReadOnlyList<NbdConnection> _all = [];

        public IReadOnlyList<NbdConnection> All
        {
            get => _all;
            set => _all = value;
        }
    }
}
