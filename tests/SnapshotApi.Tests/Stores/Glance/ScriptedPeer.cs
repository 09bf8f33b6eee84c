using System.Net;
using System.Net.Sockets;
using System.Text;

namespace SnapshotApi.Tests.Stores.Glance;

/// <summary>A server on a real socket that does, connection by connection, what the test says.</summary>
internal sealed class ScriptedPeer : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _end = new();
    private readonly Task _work;

    /// <param name="scripts">What to do with the first connection, the second...; each connection is closed after its script.</param>
    public ScriptedPeer(params Func<ScriptedConnection, Task>[] scripts)
    {
        _listener.Start();
        _work = RunAsync(scripts);
    }

    public string Address => $"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}";

    /// <summary>Heads of the requests, as far as the scripts read them.</summary>
    public List<string> Heads { get; } = [];

    /// <summary>Connections are served at the same time; default: one after the other.</summary>
    public bool IsConcurrent { get; init; }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        _listener.Dispose();
        await _work;
        _end.Dispose();
    }

    private async Task RunAsync(Func<ScriptedConnection, Task>[] scripts)
    {
        try
        {
            var serving = new List<Task>();
            foreach (Func<ScriptedConnection, Task> script in scripts)
            {
                serving.Add(ServeAsync(await _listener.AcceptSocketAsync(_end.Token), script));
                if (!IsConcurrent)
                {
                    await serving[^1];
                }
            }

            await Task.WhenAll(serving);
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The test is over, or the other side has closed.
        }
    }

    private async Task ServeAsync(Socket socket, Func<ScriptedConnection, Task> script)
    {
        using (socket)
        {
            await script(new ScriptedConnection(socket, Heads, _end.Token));
        }
    }
}

/// <summary>One connection of a <see cref="ScriptedPeer"/>.</summary>
internal sealed class ScriptedConnection(Socket socket, List<string> heads, CancellationToken end)
{
    /// <summary>Reads the head of a request.</summary>
    public async Task ReadHeadAsync()
    {
        var head = new StringBuilder();
        var one = new byte[1];
        while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal) && await socket.ReceiveAsync(one, end) > 0)
        {
            head.Append((char)one[0]);
        }

        heads.Add(head.ToString());
    }

    /// <summary>Reads a head, and the body that its Content-Length tells.</summary>
    public async Task ReadRequestAsync()
    {
        await ReadHeadAsync();
        string? length = heads[^1].Split("\r\n").FirstOrDefault(l => l.StartsWith("Content-Length: ", StringComparison.Ordinal));
        await ReadAsync(length is null ? 0 : int.Parse(length.Split(' ')[1], System.Globalization.CultureInfo.InvariantCulture));
    }

    /// <summary>Reads so many bytes of a body.</summary>
    public async Task ReadAsync(long lengthBytes)
    {
        var buffer = new byte[64 << 10];
        for (long left = lengthBytes; left > 0;)
        {
            int read = await socket.ReceiveAsync(buffer.AsMemory(0, (int)Math.Min(left, buffer.Length)), end);
            if (read == 0)
            {
                return;
            }

            left -= read;
        }
    }

    /// <summary>Sends text as it is.</summary>
    public async Task SendAsync(string text) => await socket.SendAsync(Encoding.ASCII.GetBytes(text), end);

    /// <summary>The body may come.</summary>
    public Task ContinueAsync() => SendAsync("HTTP/1.1 100 Continue\r\n\r\n");

    /// <summary>Sends an answer.</summary>
    public Task AnswerAsync(int status, string body = "", string headers = "") =>
        SendAsync($"HTTP/1.1 {status} Scripted\r\nContent-Length: {body.Length}\r\n{headers}\r\n{body}");

    /// <summary>Does nothing until the test is over.</summary>
    public Task HangAsync() => Task.Delay(Timeout.Infinite, end);

    /// <summary>Closes it with a reset.</summary>
    public void Reset()
    {
        socket.LingerState = new LingerOption(true, 0);
        socket.Close();
    }
}
