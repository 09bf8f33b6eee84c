using BenchmarkDotNet.Running;
using SnapshotApi.Benchmarks.WholeSnapshot;

namespace SnapshotApi.Benchmarks;

internal static class BenchmarkProgram
{
    private static async Task Main(string[] args)
    {
        if (args is [SnapshotToNowhere.Verb, var workDirectory])
        {
            await SnapshotToNowhere.RunAsync(workDirectory);
            return;
        }

        BenchmarkSwitcher.FromAssembly(typeof(BenchmarkProgram).Assembly).Run(args);
    }
}
