using System.Diagnostics;

namespace SnapshotApi.Benchmarks.Images;

/// <summary>An NBD server over data that lies in memory, and the tools to compare with. Disposing kills the server and removes its files.</summary>
internal sealed class BenchmarkServer : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("snapshotapi-bench-").FullName;
    private readonly Process _process;

    /// <param name="kind"><c>nbdkit</c> (a server that costs nearly nothing) or <c>qemu-nbd</c> (a raw file in the page cache).</param>
    /// <param name="sizeBytes">All of it data.</param>
    public BenchmarkServer(string kind, long sizeBytes)
    {
        string pidFile = Path.Combine(_directory, "nbd.pid");
        if (kind == "nbdkit")
        {
            _process = Process.Start(
                "nbdkit",
                ["--foreground", "--unix", SocketPath, "--pidfile", pidFile, "--filter=noextents", "memory", $"{sizeBytes}"]);
        }
        else
        {
            string disk = Path.Combine(_directory, "disk.raw");
            Fill(disk, sizeBytes);
            _process = Process.Start(
                "qemu-nbd",
                [
                    "--read-only", "--persistent", "--shared=16", "--format=raw", $"--pid-file={pidFile}", $"--socket={SocketPath}", disk,
                ]);
        }

        SpinWait.SpinUntil(() => File.Exists(pidFile) || _process.HasExited);
    }

    public string SocketPath => Path.Combine(_directory, "nbd.sock");

    /// <summary>Reads everything with libnbd's own copying tool, as it comes.</summary>
    public void NbdCopyToNull()
    {
        using Process copy = Process.Start("nbdcopy", [$"nbd+unix:///?socket={SocketPath}", "null:"]);
        copy.WaitForExit();
        if (copy.ExitCode != 0)
        {
            throw new InvalidOperationException("nbdcopy failed");
        }
    }

    public void Dispose()
    {
        _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    private static void Fill(string path, long sizeBytes)
    {
        byte[] bytes = new byte[1 << 20];
        new Random(1).NextBytes(bytes);
        using FileStream file = File.Create(path);
        while (file.Length < sizeBytes)
        {
            file.Write(bytes);
        }
    }
}
