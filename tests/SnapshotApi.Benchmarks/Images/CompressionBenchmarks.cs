using System.Diagnostics;
using BenchmarkDotNet.Attributes;
using SnapshotApi.Images;
using SnapshotApi.Linux;
using SnapshotApi.Tools;

namespace SnapshotApi.Benchmarks.Images;

/// <summary>
/// A disk from NBD to a zstd qcow2 file with its digest, beside qemu-img convert -c, which computes none: the ratio to watch.
/// SNAPSHOTAPI_BENCH_IMAGE names a qcow2 file to take as disk.
/// </summary>
[MemoryDiagnoser]
[Config(typeof(WholeCopyConfig))]
public class CompressionBenchmarks : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("snapshotapi-bench-").FullName;
    private readonly DiscardingSink _progress = new();
    private Process? _server;

    private string SocketPath => Path.Combine(_directory, "nbd.sock");

    private string ImagePath => Path.Combine(_directory, "image.qcow2");

    [GlobalSetup]
    public void Start()
    {
        string disk = Environment.GetEnvironmentVariable("SNAPSHOTAPI_BENCH_IMAGE")
            ?? throw new InvalidOperationException("SNAPSHOTAPI_BENCH_IMAGE is not set");
        string pidFile = Path.Combine(_directory, "nbd.pid");
        _server = Process.Start(
            "qemu-nbd",
            ["--read-only", "--persistent", "--shared=16", "--format=qcow2", $"--pid-file={pidFile}", $"--socket={SocketPath}", disk]);
        SpinWait.SpinUntil(() => File.Exists(pidFile) || _server.HasExited);
    }

    [GlobalCleanup]
    public void Dispose()
    {
        _server!.Kill();
        _server.WaitForExit();
        _server.Dispose();
        Directory.Delete(_directory, recursive: true);
        GC.SuppressFinalize(this);
    }

    [IterationSetup]
    public void Clear() => File.Delete(ImagePath);

    [Benchmark(Baseline = true)]
    public void QemuImg()
    {
        using Process convert = Process.Start(
            "qemu-img", ["convert", "-c", "-f", "raw", "-O", "qcow2", "-o", "compression_type=zstd", $"nbd+unix:///?socket={SocketPath}", ImagePath]);
        convert.WaitForExit();
    }

    [Benchmark]
    public Task ZstdLevel1() => PackAsync(1);

    [Benchmark]
    public Task ZstdLevel3() => PackAsync(3);

    private async Task PackAsync(int level)
    {
        await using DiskImage image = await new ImageOpener(null!).OpenAsync(
            new NbdEndpoint(SocketPath, ""),
            new ImageSpec(ImageFormat.Qcow2, Compression.Zstd, level),
            spool: null,
            new ImageStreamOptions(),
            CancellationToken.None);
        using var file = new FileSink(LinuxFile.CreateNew(ImagePath), ImagePath, 0);
        await using var following = new FollowingDigest(file, "sha256");
        await ((FileImage)image).WriteAsync(following, _progress, CancellationToken.None);
        await following.FinishAsync(CancellationToken.None);
    }
}
