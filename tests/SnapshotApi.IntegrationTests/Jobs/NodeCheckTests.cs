using SnapshotApi.Captures;
using SnapshotApi.Hypervisor;
using SnapshotApi.IntegrationTests.Persistence;
using SnapshotApi.Jobs;
using SnapshotApi.Persistence;

namespace SnapshotApi.IntegrationTests.Jobs;

/// <summary>When a node checks its captures, what waits for that, and who learns of it.</summary>
public sealed class NodeCheckTests(TestDatabase database) : IClassFixture<TestDatabase>, IAsyncLifetime
{
    private static readonly Dictionary<string, string?> Automatic = new() { ["Node:CheckCaptures"] = "auto" };

    // Tests of one class run one after the other; a node starts with no rows of another's.
    public async ValueTask InitializeAsync() =>
        await database.ExecuteAsync("TRUNCATE jobs, job_events, servers, nodes, images, idempotency_keys; TRUNCATE hangfire.jobqueue");

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Fact]
    public async Task No_job_begins_before_the_first_check_has_ended()
    {
        var trial = new FakeTrial();
        await using var host = new JobHost(database.ConnectionString, settings: Automatic) { Trial = trial };
        ServerDescription server = await host.StartWithServerAsync($"s{Guid.NewGuid():N}");
        await trial.Began;
        JobRecord job = await host.SubmitAsync(server.Name);

        await JobHost.UntilAsync(async ct => (await NodeAsync(host, ct))?.Check is { EndedAt: null });
        Assert.True(host.Get<CaptureFindings>().HoldsJobs);
        Assert.Equal(JobStatus.Queued, (await host.Jobs.FindAsync(job.Id, TestContext.Current.CancellationToken))!.Status);
        Assert.Equal(0, host.Pipeline.Runs);

        trial.End();
        await host.WaitForAsync(job.Id, JobStatus.Succeeded);
        await JobHost.UntilAsync(async ct => (await NodeAsync(host, ct))?.Check is { EndedAt: not null, Proofs.Count: 1 });
    }

    [Fact]
    public async Task What_is_remembered_is_not_checked_again_until_somebody_asks()
    {
        var first = new FakeTrial();
        first.End();
        await using var host = new JobHost(database.ConnectionString, settings: Automatic) { Trial = first };
        await host.StartWithServerAsync($"s{Guid.NewGuid():N}");
        await JobHost.UntilAsync(_ => Task.FromResult(!host.Get<CaptureFindings>().HoldsJobs));
        await host.StopAsync();

        var second = new FakeTrial();
        await using var again = new JobHost(database.ConnectionString, host.WorkDirectory, Automatic) { Trial = second };
        await again.StartWithServerAsync($"s{Guid.NewGuid():N}");
        await JobHost.UntilAsync(_ => Task.FromResult(!again.Get<CaptureFindings>().HoldsJobs));
        NodeCheck before = again.Get<CaptureFindings>().Current!;
        Assert.Equal((1, 0), (first.Runs, second.Runs));

        await again.Get<NodeTable>().AskForCheckAsync("another-node", TestContext.Current.CancellationToken);
        await again.Get<NodeTable>().AskForCheckAsync("test-node", TestContext.Current.CancellationToken);
        await second.Began;
        Assert.False(again.Get<CaptureFindings>().HoldsJobs);
        second.End();
        await JobHost.UntilAsync(_ => Task.FromResult(again.Get<CaptureFindings>().Current is { EndedAt: not null } now && now.StartedAt > before.StartedAt));
        Assert.Equal(1, second.Runs);
    }

    [Fact]
    public async Task Another_version_of_libvirt_is_checked_and_jobs_wait_for_it()
    {
        var trial = new FakeTrial();
        trial.End();
        await using var host = new JobHost(database.ConnectionString, settings: Automatic) { Trial = trial };
        await host.StartWithServerAsync($"s{Guid.NewGuid():N}");
        await JobHost.UntilAsync(_ => Task.FromResult(trial.Runs == 1 && !host.Get<CaptureFindings>().HoldsJobs));

        trial.Begin();
        host.Hypervisor.Capabilities = host.Hypervisor.Capabilities with { LibvirtVersion = new Version(11, 3, 0) };
        host.Hypervisor.Connect(false);
        host.Hypervisor.Connect(true);

        await trial.Began;
        Assert.True(host.Get<CaptureFindings>().HoldsJobs);
        trial.End();
        await JobHost.UntilAsync(_ => Task.FromResult(trial.Runs == 2 && !host.Get<CaptureFindings>().HoldsJobs));
    }

    [Fact]
    public async Task A_node_without_qemu_has_nothing_to_check()
    {
        var trial = new FakeTrial();
        await using var host = new JobHost(database.ConnectionString, settings: Automatic)
        {
            Trial = trial,
            Hypervisor = new() { Capabilities = new NodeCapabilities("LXC", new Version(9, 0, 0), new Version(6, 1, 0)) },
        };
        ServerDescription server = await host.StartWithServerAsync($"s{Guid.NewGuid():N}");

        await JobHost.UntilAsync(_ => Task.FromResult(!host.Get<CaptureFindings>().HoldsJobs));
        Assert.Equal(0, trial.Runs);
        Assert.Null((await NodeAsync(host, TestContext.Current.CancellationToken))?.Check);
        Assert.NotNull(server);
    }

    [Fact]
    public async Task Canaries_are_not_in_the_inventory()
    {
        await using var host = new JobHost(database.ConnectionString);
        ServerDescription server = await host.StartWithServerAsync($"s{Guid.NewGuid():N}");
        ServerDescription canary = host.Hypervisor.Put(
            Tests.Fakes.FakeHypervisor.Describe($"c{Guid.NewGuid():N}") with { CanaryOf = "another-node" });
        host.Hypervisor.Put(server with { Name = server.Name + "2" });

        await host.WaitUntilPublishedAsync(server.Name + "2");
        Assert.Empty(await host.Get<ServerTable>().FindAsync(canary.Name, TestContext.Current.CancellationToken));
        Assert.Empty(await host.Get<ServerTable>().FindAsync($"{canary.Id}", TestContext.Current.CancellationToken));
    }

    private static Task<NodeRecord?> NodeAsync(JobHost host, CancellationToken cancellationToken) =>
        host.Get<NodeTable>().FindAsync("test-node", cancellationToken);

    /// <summary>A check that ends when the test wants it.</summary>
    private sealed class FakeTrial : ICanaryTrial
    {
        private TaskCompletionSource _began = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private TaskCompletionSource _end = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _runs;

        /// <summary>How many have ended.</summary>
        public int Runs => Volatile.Read(ref _runs);

        public Task Began => _began.Task.WaitAsync(TimeSpan.FromMinutes(1), TestContext.Current.CancellationToken);

        /// <summary>The next one waits for <see cref="End"/>.</summary>
        public void Begin()
        {
            _began = new(TaskCreationOptions.RunContinuationsAsynchronously);
            _end = new(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        public void End() => _end.TrySetResult();

        public async Task<IReadOnlyList<CaptureProof>> RunAsync(CancellationToken cancellationToken)
        {
            _began.TrySetResult();
            await _end.Task.WaitAsync(cancellationToken);
            Interlocked.Increment(ref _runs);
            return [new CaptureProof(CaptureKind.Backup, GuestShape.Plain, ProofOutcome.Proved)];
        }
    }
}
