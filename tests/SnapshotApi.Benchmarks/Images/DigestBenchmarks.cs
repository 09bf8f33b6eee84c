using BenchmarkDotNet.Attributes;
using SnapshotApi.Images;

namespace SnapshotApi.Benchmarks.Images;

/// <summary>What the digest costs per gibibyte, of data and of zeros.</summary>
[MemoryDiagnoser]
[Config(typeof(InProcessConfig))]
public class DigestBenchmarks : IDisposable
{
    private const int PieceBytes = 1 << 20;
    private readonly byte[] _piece = new byte[PieceBytes];
    private DigestingSink? _sink;

    [Params("sha256", "sha512")]
    public string Algorithm { get; set; } = "";

    [GlobalSetup]
    public void Start()
    {
        new Random(1).NextBytes(_piece);
        _sink = new DigestingSink(new DiscardingSink(), Algorithm);
    }

    [GlobalCleanup]
    public void Dispose()
    {
        _sink!.Dispose();
        GC.SuppressFinalize(this);
    }

    [Benchmark]
    public async Task GibibyteOfData()
    {
        for (int i = 0; i < 1024; i++)
        {
            await _sink!.WriteAsync(_piece, CancellationToken.None);
        }
    }

    [Benchmark]
    public async Task GibibyteOfZeros() => await _sink!.WriteZerosAsync(1L << 30, CancellationToken.None);
}
