using System.Collections.Concurrent;
using System.Net.Sockets;

namespace SnapshotApi.IntegrationTests.Libvirt;

/// <summary>A unix socket in front of libvirtd's, whose connections can be cut and which can refuse new ones.</summary>
internal sealed class SocketRelay : IAsyncDisposable
{
    private readonly string _target;
    private readonly string _directory = Directory.CreateTempSubdirectory("snapshotapi-relay").FullName;
    private readonly ConcurrentBag<Socket> _sockets = [];
    private readonly CancellationTokenSource _stop = new();
    private Socket? _listener;
    private int _open;
    private Task _accepting = Task.CompletedTask;

    public SocketRelay(string target)
    {
        _target = target;
        Listen();
    }

    public string Path => System.IO.Path.Combine(_directory, "relay.sock");

    /// <summary>How many connections were accepted.</summary>
    public int Accepted { get; private set; }

    /// <summary>How many connections are open.</summary>
    public int Open => Volatile.Read(ref _open);

    /// <summary>Accepts connections (again).</summary>
    public void Listen()
    {
        File.Delete(Path);
        Socket listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(Path));
        listener.Listen();
        _listener = listener;
        _accepting = AcceptAsync(listener);
    }

    /// <summary>Accepts no more connections.</summary>
    public async Task RefuseAsync()
    {
        _listener?.Dispose();
        await _accepting;
        File.Delete(Path);
    }

    /// <summary>Ends the connections there are, as a daemon that dies does.</summary>
    public void Cut()
    {
        while (_sockets.TryTake(out Socket? socket))
        {
            socket.Dispose();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await RefuseAsync();
        Cut();
        Directory.Delete(_directory, recursive: true);
        _stop.Dispose();
    }

    private static async Task CopyAsync(Socket from, Socket to)
    {
        byte[] buffer = new byte[65536];
        try
        {
            for (int read; (read = await from.ReceiveAsync(buffer)) > 0;)
            {
                for (int sent = 0; sent < read;)
                {
                    sent += await to.SendAsync(buffer.AsMemory(sent, read - sent));
                }
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Cut.
        }

        from.Dispose();
        to.Dispose();
    }

    private async Task RelayAsync(Socket client, Socket server)
    {
        Interlocked.Increment(ref _open);
        await Task.WhenAll(CopyAsync(client, server), CopyAsync(server, client));
        Interlocked.Decrement(ref _open);
    }

    private async Task AcceptAsync(Socket listener)
    {
        try
        {
            while (true)
            {
                Socket client = await listener.AcceptAsync(_stop.Token);
                Socket server = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                await server.ConnectAsync(new UnixDomainSocketEndPoint(_target), _stop.Token);
                _sockets.Add(client);
                _sockets.Add(server);
                Accepted++;
                _ = RelayAsync(client, server);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The listener was closed.
        }
    }
}
