using System.Diagnostics;

namespace SnapshotApi.Tests.Nbd;

/// <summary>A real NBD server (qemu-nbd or nbdkit) on a unix socket in a directory of its own. Disposing kills and removes both.</summary>
internal sealed class NbdServer : IAsyncDisposable
{
    private readonly Process _process;
    private readonly Task<string> _errors;

    private NbdServer(Process process, string socketPath)
    {
        _process = process;
        _errors = process.StandardError.ReadToEndAsync();
        SocketPath = socketPath;
    }

    public string SocketPath { get; }

    /// <summary>Serves with nbdkit; the arguments name filters, plugin and parameters.</summary>
    public static Task<NbdServer> NbdkitAsync(params string[] arguments)
    {
        string directory = ScratchDirectory.Create();
        string socket = Path.Combine(directory, "nbd.sock");
        return StartAsync(
            "nbdkit", ["--foreground", "--unix", socket, "--pidfile", PidFile(socket), .. arguments], socket);
    }

    /// <summary>Serves a file of a named format, read-only, to any number of clients.</summary>
    public static Task<NbdServer> QemuNbdAsync(string file, string format, string exportName = "")
    {
        string directory = ScratchDirectory.Create();
        string socket = Path.Combine(directory, "nbd.sock");
        return StartAsync(
            "qemu-nbd",
            [
                "--read-only", "--persistent", "--shared=16", $"--pid-file={PidFile(socket)}", $"--socket={socket}",
                $"--export-name={exportName}", $"--format={format}", file,
            ],
            socket);
    }

    /// <summary>Ends the server at once, in the middle of whatever it does.</summary>
    public void Kill() => _process.Kill();

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
        }

        await _process.WaitForExitAsync(CancellationToken.None);
        await _errors;
        _process.Dispose();
        ScratchDirectory.Delete(Path.GetDirectoryName(SocketPath)!);
    }

    private static string PidFile(string socket) => Path.ChangeExtension(socket, ".pid");

    private static async Task<NbdServer> StartAsync(string program, string[] arguments, string socket)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardError = true };
        var server = new NbdServer(Process.Start(start)!, socket);
        var waited = Stopwatch.StartNew();
        // Both programs write their pid file when they listen.
        while (!File.Exists(PidFile(socket)))
        {
            if (server._process.HasExited || waited.Elapsed > TimeSpan.FromSeconds(20))
            {
                await server.DisposeAsync();
                throw new InvalidOperationException($"{program} {string.Join(' ', arguments)}: {await server._errors}");
            }

            await Task.Delay(5, TestContext.Current.CancellationToken);
        }

        return server;
    }
}
