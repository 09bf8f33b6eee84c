using BenchmarkDotNet.Attributes;
using SnapshotApi.Codecs;
using SnapshotApi.Images;

namespace SnapshotApi.Benchmarks.Images;

/// <summary>
/// What a cluster costs: looking for zeros, compressing, and placing it in a file whose tables come last. Nothing may be allocated per
/// cluster.
/// </summary>
[MemoryDiagnoser]
[Config(typeof(InProcessConfig))]
public class PackingBenchmarks : IDisposable
{
    private const int Clusters = 8192;

    private readonly byte[] _zeros = new byte[ClusterMap.ClusterBytes];
    private readonly byte[] _text = new byte[ClusterMap.ClusterBytes];
    private readonly byte[] _random = new byte[ClusterMap.ClusterBytes];
    private readonly byte[] _output = new byte[ClusterMap.ClusterBytes - 1];
    private readonly ZstdCompressor _zstd = new(ClusterCompressors.DefaultLevel(Compression.Zstd));
    private readonly RawDeflateCompressor _zlib = new(ClusterCompressors.DefaultLevel(Compression.Zlib));

    [GlobalSetup]
    public void Fill()
    {
        var random = new Random(1);
        random.NextBytes(_random);
        string[] words = ["disk", "image", "cluster", "guest", "node", "journal", "store", "lease"];
        string text = string.Join(' ', Enumerable.Range(0, ClusterMap.ClusterBytes).Select(_ => words[random.Next(words.Length)]));
        System.Text.Encoding.ASCII.GetBytes(text.AsSpan(0, ClusterMap.ClusterBytes), _text);
    }

    [GlobalCleanup]
    public void Dispose()
    {
        _zstd.Dispose();
        _zlib.Dispose();
        GC.SuppressFinalize(this);
    }

    [Benchmark]
    public bool ZeroTestOfZeros() => ZeroTest.IsZero(_zeros);

    [Benchmark]
    public bool ZeroTestOfData() => ZeroTest.IsZero(_text);

    [Benchmark]
    public bool ZstdOfText() => _zstd.TryCompress(_text, _output, out _);

    [Benchmark]
    public bool ZstdOfRandom() => _zstd.TryCompress(_random, _output, out _);

    [Benchmark]
    public bool ZlibOfText() => _zlib.TryCompress(_text, _output, out _);

    [Benchmark]
    public bool ZlibOfRandom() => _zlib.TryCompress(_random, _output, out _);

    /// <summary>A table's worth of compressed clusters, per cluster, into a file that takes everything at no cost.</summary>
    [Benchmark(OperationsPerInvoke = Clusters)]
    public async Task<long> TablesLast()
    {
        var packer = new Qcow2Packer(new DiscardingFile(), (long)Clusters * ClusterMap.ClusterBytes, isZstd: true);
        await packer.BeginAsync(CancellationToken.None);
        await packer.TurnAsync(0, CancellationToken.None);
        for (long cluster = 0; cluster < Clusters; cluster++)
        {
            await packer.AddPackedAsync(cluster, _output.AsMemory(0, 20_000), CancellationToken.None);
        }

        return await packer.FinishAsync(CancellationToken.None);
    }

    private sealed class DiscardingFile : IImageFile
    {
        public string Path => "";

        public ValueTask WriteAtAsync(long offsetBytes, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken) => ValueTask.CompletedTask;

        public void MarkFinal(long bytes)
        {
            // Nothing computes a digest here.
        }

        public void SetLength(long lengthBytes)
        {
            // Nothing has a length here.
        }
    }
}
