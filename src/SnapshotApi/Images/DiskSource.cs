using SnapshotApi.Hypervisor;
using SnapshotApi.Nbd;

namespace SnapshotApi.Images;

/// <summary>A disk ready to be read: its connections and the map of what is allocated. The caller disposes.</summary>
internal sealed class DiskSource : IDisposable
{
    /// <summary>
    /// A block status request covers at most 4 GiB - 1; a whole number of clusters keeps the answers aligned. The kernel of
    /// the host is asked for every extent of a raw file, so larger requests would only take longer to cancel.
    /// </summary>
    private const long StatusRequestBytes = 2L * 1024 * 1024 * 1024;

    /// <summary>QEMU answers all connections of one export from one thread; more than four gain nothing.</summary>
    private const int DefaultConnections = 4;

    private readonly List<NbdConnection> _connections;

    private DiskSource(ClusterMap map, List<NbdConnection> connections) => (Map, _connections) = (map, connections);

    /// <summary>What has to be read.</summary>
    public ClusterMap Map { get; }

    public IReadOnlyList<NbdConnection> Connections => _connections;

    /// <summary>Longest read that the server takes, 0 if it named none.</summary>
    public long MaximumRequestBytes => _connections[0].BlockSizes.MaximumBytes;

    /// <summary>Grows with everything that came from the server.</summary>
    public long ReceivedCount => _connections.Sum(connection => connection.ReceivedCount);

    /// <summary>Connects and asks what is allocated; a server without block status has everything allocated.</summary>
    /// <exception cref="ImageCopyException">Unreachable, empty, or the server failed; the side is the source.</exception>
    /// <exception cref="ImageStalledException">The server went silent.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static async Task<DiskSource> OpenAsync(
        NbdEndpoint endpoint, ImageStreamOptions options, CancellationToken cancellationToken)
    {
        NbdConnection? first = null;
        using var watch = new StallWatch(options, () => Volatile.Read(ref first)?.ReceivedCount ?? 0, cancellationToken);
        CancellationToken token = watch.Token;
        DiskSource? source = null;
        try
        {
            await DedicatedThread.RunAsync(
                "nbd-plan",
                () =>
                {
                    Volatile.Write(ref first, Connect(endpoint, wantBlockStatus: true, token));
                    source = new DiskSource(ReadMap(first!, token), [first!]);
                    source.ConnectOthers(endpoint, options, token);
                }).ConfigureAwait(false);
            DiskSource opened = source!;
            (source, first) = (null, null);
            return opened;
        }
        catch (NbdException e)
        {
            throw SourceErrors.From(e, "reaching the disk");
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

    /// <summary>The same disk, of which only this is read. It shares the connections: the caller disposes one of the two, at the end.</summary>
    /// <param name="map">Of a disk of the same size.</param>
    public DiskSource WithMap(ClusterMap map) => new(map, _connections);

    public void Dispose()
    {
        foreach (NbdConnection connection in _connections)
        {
            connection.Dispose();
        }
    }

    private static NbdConnection Connect(NbdEndpoint endpoint, bool wantBlockStatus, CancellationToken cancellationToken) =>
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

    private void ConnectOthers(NbdEndpoint endpoint, ImageStreamOptions options, CancellationToken cancellationToken)
    {
        int wanted = options.Connections ?? (_connections[0].CanMultiConn ? DefaultConnections : 1);
        while (_connections.Count < wanted)
        {
            _connections.Add(Connect(endpoint, wantBlockStatus: false, cancellationToken));
        }
    }
}
