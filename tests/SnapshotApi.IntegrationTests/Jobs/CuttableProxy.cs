using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Npgsql;

namespace SnapshotApi.IntegrationTests.Jobs;

/// <summary>
/// A way to a server, PostgreSQL or another, that a test can cut: connections break, new ones are refused.
/// </summary>
internal sealed class CuttableProxy : IAsyncDisposable
{
    private readonly IPEndPoint _target;
    private readonly int _port;
    private readonly ConcurrentBag<Socket> _sockets = [];
    private readonly List<Task> _work = [];
    private TcpListener? _listener;

    /// <summary>A way to a server on that port of this host.</summary>
    public CuttableProxy(int targetPort)
    {
        _target = new IPEndPoint(IPAddress.Loopback, targetPort);
        _port = Restore(0);
        ConnectionString = string.Empty;
    }

    public CuttableProxy(string connectionString)
    {
        var builder = new NpgsqlConnectionStringBuilder(connectionString);
        _target = new IPEndPoint(IPAddress.Parse(builder.Host!), builder.Port);
        _port = Restore(0);
        builder.Host = "127.0.0.1";
        builder.Port = _port;
        ConnectionString = builder.ConnectionString;
    }

    /// <summary>Port of this end.</summary>
    public int Port => _port;

    /// <summary>Connection string of the way through this proxy.</summary>
    public string ConnectionString { get; }

    public void Cut()
    {
        _listener?.Dispose();
        while (_sockets.TryTake(out Socket? socket))
        {
            socket.Dispose();
        }
    }

    public void Restore() => Restore(_port);

    public async ValueTask DisposeAsync()
    {
        Cut();
        await Task.WhenAll(_work);
    }

    private int Restore(int port)
    {
        var listener = new TcpListener(IPAddress.Loopback, port);
        listener.Start();
        _listener = listener;
        _work.Add(AcceptAsync(listener));
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private async Task AcceptAsync(TcpListener listener)
    {
        try
        {
            while (true)
            {
                Socket client = await listener.AcceptSocketAsync();
                var server = new Socket(SocketType.Stream, ProtocolType.Tcp);
                _sockets.Add(client);
                _sockets.Add(server);
                await server.ConnectAsync(_target);
                _ = JoinAsync(client, server);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Cut.
        }
    }

    private static async Task JoinAsync(Socket client, Socket server)
    {
        await Task.WhenAll(PumpAsync(client, server), PumpAsync(server, client));
        client.Dispose();
        server.Dispose();
    }

    // One that has said all is told to the other side; what the other still says goes on: a socket that is disposed
    // while it is read from is reset, and what was on its way is lost.
    private static async Task PumpAsync(Socket from, Socket to)
    {
        var buffer = new byte[16 << 10];
        try
        {
            for (int read; (read = await from.ReceiveAsync(buffer)) > 0;)
            {
                await to.SendAsync(buffer.AsMemory(0, read));
            }

            to.Shutdown(SocketShutdown.Send);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Cut, or one side is gone: so is the other then.
            from.Dispose();
            to.Dispose();
        }
    }
}
