using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using SnapshotApi.Captures;
using SnapshotApi.Configuration;
using SnapshotApi.Hypervisor;
using SnapshotApi.Images;
using SnapshotApi.Journal;
using SnapshotApi.Snapshots;
using SnapshotApi.Stores;

namespace SnapshotApi.Benchmarks.WholeSnapshot;

/// <summary>
/// The node side of the service on a real guest, with a store that keeps nothing: <c>snapshot-to-nowhere WORKDIR</c>. Reads commands from standard
/// input, <c>UUID</c> or <c>UUID SINK</c> on a line, takes a live snapshot for each, and answers <c>SECONDS BYTES</c>.
/// </summary>
internal static class SnapshotToNowhere
{
    public const string Verb = "snapshot-to-nowhere";

    public static async Task RunAsync(string workDirectory)
    {
        Directory.CreateDirectory(workDirectory);
        using var store = new NullStore(StoreNames.Directory);
        await using ServiceProvider services = new ServiceCollection()
            .AddLogging()
            .AddSingleton(TimeProvider.System)
            .Configure<NodeOptions>(o => o.WorkDirectory = workDirectory)
            .AddHypervisor()
            .AddStores()
            .RemoveAll<IImageStore>()
            .AddSingleton<IImageStore>(store)
            .AddSnapshots()
            .BuildServiceProvider();
        while (await Console.In.ReadLineAsync() is { } line)
        {
            string[] words = line.Split(' ');
            store.Sink = words.ElementAtOrDefault(1);
            long started = Stopwatch.GetTimestamp();
            long bytes = await SnapshotAsync(services, workDirectory, Guid.Parse(words[0]));
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{Stopwatch.GetElapsedTime(started).TotalSeconds:0.000} {bytes}"));
        }
    }

    private static async Task<long> SnapshotAsync(ServiceProvider services, string workDirectory, Guid serverId)
    {
        var observer = new SilentObserver();
        var work = new SnapshotWork(Guid.NewGuid(), serverId, 1, new SnapshotRequest("bench") { Quiesce = QuiesceMode.Never }, new BandwidthLimit(TimeProvider.System));
        using JobJournal journal = JobJournal.Create(
            Path.Combine(workDirectory, "journal"),
            new JournalHeader(work.JobId, serverId, 1, 1),
            services.GetRequiredService<IUndoExecutor>(),
            TimeProvider.System,
            services.GetRequiredService<ILoggerFactory>().CreateLogger("journal"));
        await services.GetRequiredService<ISnapshotPipeline>().RunAsync(work, journal, observer, CancellationToken.None);
        journal.SetOutcome(new { });
        journal.Delete();
        return observer.SizeBytes;
    }
}
