using System.Threading.Channels;
using Hangfire.PostgreSql;
using Hangfire.Storage;
using Npgsql;
using SnapshotApi.IntegrationTests.Persistence;
using SnapshotApi.Jobs;

namespace SnapshotApi.IntegrationTests.Jobs;

/// <summary>Workers that wait for a job, which ask for one by themselves only after longer than a test lasts.</summary>
public sealed class WakefulQueueProviderTests(TestDatabase database) : IClassFixture<TestDatabase>
{
    private const string Queue = "node_test";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task Workers_that_are_woken_find_their_jobs()
    {
        WakefulQueueProvider provider = Provider();
        Task<string>[] workers = [.. Enumerable.Range(0, 3).Select(
            _ => FetchAsync(provider, TestContext.Current.CancellationToken))];
        await Task.Delay(TimeSpan.FromSeconds(1), TestContext.Current.CancellationToken);
        Assert.DoesNotContain(workers, worker => worker.IsCompleted);

        // Not as Hangfire enqueues, whose own workers in the process hear of it.
        await database.ExecuteAsync(
            $"INSERT INTO hangfire.jobqueue (jobid, queue) SELECT n, '{Queue}' FROM generate_series(1, 3) AS n");
        await Task.Delay(TimeSpan.FromSeconds(1), TestContext.Current.CancellationToken);
        Assert.DoesNotContain(workers, worker => worker.IsCompleted);
        provider.Wake();

        Assert.Equal(
            ["1", "2", "3"],
            (await Task.WhenAll(workers).WaitAsync(Patience, TestContext.Current.CancellationToken)).Order());
    }

    [Fact]
    public async Task One_job_after_the_other_is_found_by_some_worker()
    {
        const int jobs = 500;
        using var stop = new CancellationTokenSource();
        WakefulQueueProvider provider = Provider();
        Channel<string> found = Channel.CreateUnbounded<string>();
        Task[] workers = [.. Enumerable.Range(0, 4).Select(_ => WorkAsync(provider, found.Writer, stop.Token))];

        for (int job = 1; job <= jobs; job++)
        {
            await database.ExecuteAsync($"INSERT INTO hangfire.jobqueue (jobid, queue) VALUES ({job}, '{Queue}')");
            provider.Wake();
            string next = await found.Reader.ReadAsync(TestContext.Current.CancellationToken).AsTask().WaitAsync(
                Patience, TestContext.Current.CancellationToken);
            Assert.Equal($"{job}", next);
        }

        await stop.CancelAsync();
        foreach (Task worker in workers)
        {
            await Assert.ThrowsAnyAsync<OperationCanceledException>(
                () => worker.WaitAsync(Patience, TestContext.Current.CancellationToken));
        }
    }

    [Fact]
    public async Task A_worker_that_waits_ends_when_it_is_told_to()
    {
        using var stop = new CancellationTokenSource();
        WakefulQueueProvider provider = Provider();
        Task<string> worker = FetchAsync(provider, stop.Token);

        await stop.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => worker.WaitAsync(Patience, TestContext.Current.CancellationToken));
    }

    private static async Task WorkAsync(
        WakefulQueueProvider provider, ChannelWriter<string> found, CancellationToken cancellationToken)
    {
        while (true)
        {
            await found.WriteAsync(await FetchAsync(provider, cancellationToken), CancellationToken.None);
        }
    }

    private static Task<string> FetchAsync(WakefulQueueProvider provider, CancellationToken cancellationToken) =>
        Task.Factory.StartNew(
        () =>
        {
            using IFetchedJob fetched = provider.GetJobQueue().Dequeue([Queue], cancellationToken);
            fetched.RemoveFromQueue();
            return fetched.JobId;
        },
        cancellationToken,
        TaskCreationOptions.LongRunning,
        TaskScheduler.Default);

    private WakefulQueueProvider Provider()
    {
        var options = new PostgreSqlStorageOptions
        {
            PrepareSchemaIfNecessary = false,
            QueuePollInterval = TimeSpan.FromMinutes(10),
        };
        return new WakefulQueueProvider(
            new PostgreSqlStorage(new Connections(database.Source), options).QueueProviders.GetProvider(Queue));
    }

    private sealed class Connections(NpgsqlDataSource source) : IConnectionFactory
    {
        public NpgsqlConnection GetOrCreateConnection() => source.CreateConnection();
    }
}
