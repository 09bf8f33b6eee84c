using System.Diagnostics;

namespace SnapshotApi.Tests.Nbd;

/// <summary>
/// A real NBD server (qemu-nbd or nbdkit) on a unix socket in a directory of its own. Disposing kills and removes both.
/// </summary>
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

    // Once in some thousand starts nbdkit was seen to end before, or as, it listened, without a word. Why is not known:
    // the message says more next time.
    private static async Task<NbdServer> StartAsync(string program, string[] arguments, string socket)
    {
        for (int tries = 1; ; tries++)
        {
            var start = new ProcessStartInfo(program, arguments) { RedirectStandardError = true };
            var server = new NbdServer(Process.Start(start)!, socket);
            if (await server.ListensAsync())
            {
                return server;
            }

            bool hasExited = server._process.HasExited;
            string end = hasExited ? $"ended with {server._process.ExitCode}" : "does not listen";
            if (!hasExited || tries == 3 || (await server._errors).Length > 0)
            {
                await server.DisposeAsync();
                throw new InvalidOperationException(
                    $"{program} {string.Join(' ', arguments)} {end}: {await server._errors}");
            }

            TestContext.Current.SendDiagnosticMessage("{0} {1} without a word; it is started again", program, end);
            server._process.Dispose();
            File.Delete(socket);
            File.Delete(PidFile(socket));
        }
    }

    // Both programs write their pid file when they listen; one that is about to end is given the time to.
    private async Task<bool> ListensAsync()
    {
        var waited = Stopwatch.StartNew();
        while (!File.Exists(PidFile(SocketPath)))
        {
            if (_process.HasExited || waited.Elapsed > TimeSpan.FromSeconds(20))
            {
                return false;
            }

            await Task.Delay(5, TestContext.Current.CancellationToken);
        }

        await Task.Delay(20, TestContext.Current.CancellationToken);
        return !_process.HasExited;
    }
}
