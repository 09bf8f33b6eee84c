using BenchmarkDotNet.Attributes;
using SnapshotApi.Images;
using SnapshotApi.Tools;

namespace SnapshotApi.Benchmarks.Images;

/// <summary>
/// A gigabyte of data from an NBD server to nowhere: ours beside libnbd's nbdcopy, which is the ratio to watch. The time of ours
/// includes connecting and planning.
/// </summary>
[MemoryDiagnoser]
[Config(typeof(WholeCopyConfig))]
public class DiskCopyBenchmarks : IDisposable
{
    private const long SizeBytes = 1L << 30;

    private readonly DiscardingSink _sink = new();
    private BenchmarkServer? _server;

    [Params("nbdkit", "qemu-nbd")]
    public string Server { get; set; } = "";

    [GlobalSetup]
    public void Start() => _server = new BenchmarkServer(Server, SizeBytes);

    [GlobalCleanup]
    public void Dispose()
    {
        _server!.Dispose();
        GC.SuppressFinalize(this);
    }

    [Benchmark(Baseline = true)]
    public void NbdCopy() => _server!.NbdCopyToNull();

    [Benchmark]
    public Task Qcow2() => CopyAsync(ImageFormat.Qcow2, _sink);

    [Benchmark]
    public Task Raw() => CopyAsync(ImageFormat.Raw, _sink);

    [Benchmark]
    public async Task Qcow2WithSha256()
    {
        using var digesting = new DigestingSink(_sink, "sha256");
        await CopyAsync(ImageFormat.Qcow2, digesting);
        digesting.Finish();
    }

    private async Task CopyAsync(ImageFormat format, IImageSink sink)
    {
        await using DiskImage image = await new ImageOpener(null!).OpenAsync(
            new NbdEndpoint(_server!.SocketPath, ""), new ImageSpec(format), spool: file => file, new ImageStreamOptions(), CancellationToken.None);
        await ((OrderedImage)image).CopyToAsync(sink, _sink, CancellationToken.None);
    }
}
