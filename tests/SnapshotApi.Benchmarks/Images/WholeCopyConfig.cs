using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Toolchains.InProcess.Emit;

namespace SnapshotApi.Benchmarks.Images;

/// <summary>For benchmarks of about a second each: one invocation per iteration.</summary>
internal sealed class WholeCopyConfig : ManualConfig
{
    public WholeCopyConfig() => AddJob(Job.Default
        .WithToolchain(InProcessEmitToolchain.Instance)
        .WithWarmupCount(1)
        .WithIterationCount(7)
        .WithInvocationCount(1)
        .WithUnrollFactor(1));
}
