using BenchmarkDotNet.Attributes;
using SnapshotApi.Images;

namespace SnapshotApi.Benchmarks.Images;

/// <summary>Planning and writing the metadata of a terabyte, of which every second cluster, or all, or nearly nothing is data.</summary>
[MemoryDiagnoser]
[Config(typeof(InProcessConfig))]
public class Qcow2LayoutBenchmarks
{
    private const long SizeBytes = 1L << 40;

    private readonly byte[] _cluster = new byte[ClusterMap.ClusterBytes];
    private ClusterMap? _map;

    public enum Filling
    {
        Alternating,
        Full,
        NearlyEmpty,
    }

    [ParamsAllValues]
    public Filling Disk { get; set; }

    [GlobalSetup]
    public void Start() => _map = Map();

    [Benchmark]
    public long MarkExtents() => Map().DataClusters;

    [Benchmark]
    public long Plan() => new Qcow2Layout(_map!).LengthBytes;

    [Benchmark]
    public void WriteMetadata()
    {
        var layout = new Qcow2Layout(_map!);
        for (long cluster = 0; cluster < layout.MetadataClusters; cluster++)
        {
            layout.WriteMetadata(cluster, _cluster);
        }
    }

    private ClusterMap Map()
    {
        var map = new ClusterMap(SizeBytes);
        if (Disk == Filling.Full)
        {
            map.AddData(0, SizeBytes);
            return map;
        }

        long step = Disk == Filling.Alternating ? 2 * ClusterMap.ClusterBytes : 64L << 30;
        for (long offset = 0; offset < SizeBytes; offset += step)
        {
            map.AddData(offset, ClusterMap.ClusterBytes);
        }

        return map;
    }
}
