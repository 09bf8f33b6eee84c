using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using SnapshotApi.Configuration;
using SnapshotApi.Errors;
using SnapshotApi.Hypervisor;
using SnapshotApi.IntegrationTests.Persistence;
using SnapshotApi.Jobs;
using SnapshotApi.Persistence;
using SnapshotApi.Tests.Fakes;

namespace SnapshotApi.IntegrationTests.Jobs;

/// <summary>Nodes that die, have the name of another, are drained or forgotten.</summary>
public sealed class LostNodeTests(TestDatabase database) : IClassFixture<TestDatabase>, IAsyncLifetime
{
    private static readonly TimeSpan Lease = TimeSpan.FromMinutes(1);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() =>
        await database.ExecuteAsync(
            "TRUNCATE jobs, job_events, servers, nodes, images, idempotency_keys; TRUNCATE hangfire.jobqueue");

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Theory]
    [InlineData("running", "20 minutes", "node_lost")]
    [InlineData("running", "2 minutes", null)]
    [InlineData("queued", "20 minutes", "node_lost")]
    [InlineData("queued", "2 minutes", null)]
    [InlineData("running", "1 second", null)]
    public async Task A_job_waits_for_its_node_and_not_for_ever(string status, string silence, string? code)
    {
        await using JobHost api = await StartApiAsync();
        JobRecord job = await InsertAsync(api, status, silence);

        await LookTwiceAsync(api);

        JobRecord now = (await api.Jobs.FindAsync(job.Id, Token))!;
        Assert.Equal(code, now.Error?.Code.ToSnakeCase());
        Assert.Equal(code is null ? job.Status : JobStatus.Failed, now.Status);
        Assert.Equal(code is null ? job.Fence : job.Fence + 1, now.Fence);
        bool isTold = status == "queued" && silence == "2 minutes";
        Assert.Equal(isTold ? ["node dead does not answer; the job begins when it does"] : [], now.Warnings);
    }

    [Fact]
    public async Task A_run_that_renews_its_lease_is_not_lost_whatever_its_heartbeat()
    {
        await using JobHost api = await StartApiAsync();
        JobRecord job = await InsertAsync(api, "running", "20 minutes");
        await api.Jobs.RenewLeaseAsync(job.Id, job.Fence, Lease, Token);

        Assert.Equal(0, await LookTwiceAsync(api));
        Assert.Equal(JobStatus.Running, (await api.Jobs.FindAsync(job.Id, Token))!.Status);
    }

    [Theory]
    [InlineData("running")]
    [InlineData("queued")]
    public async Task A_server_that_another_node_has_is_free_at_once(string status)
    {
        await using JobHost api = await StartApiAsync();
        JobRecord job = await InsertAsync(api, status, "2 minutes");
        await PublishAsync(api, "alive", FakeHypervisor.Describe("fed18") with { Id = job.ServerId });

        Assert.Equal(1, await LookTwiceAsync(api));

        JobRecord now = (await api.Jobs.FindAsync(job.Id, Token))!;
        if (status == "queued")
        {
            Assert.Equal((JobStatus.Queued, "alive"), (now.Status, now.Node));
            Assert.Contains(await api.Jobs.ListEventsAsync(job.Id, Token), e => e.Kind == "rerouted");
            Assert.Equal(1L, await database.ScalarAsync<long>("SELECT count(*) FROM hangfire.jobqueue WHERE queue = 'node_alive'"));
            return;
        }

        Assert.Equal((JobStatus.Failed, SnapshotErrorCode.NodeLost), (now.Status, now.Error!.Code));
        Assert.Contains("is on node alive now", now.Error.Message, StringComparison.Ordinal);
        JobRecord next = await api.SubmitAsync("fed18");
        Assert.Equal("alive", next.Node);
    }

    [Fact]
    public async Task A_definition_that_was_left_elsewhere_is_not_the_server()
    {
        await using JobHost api = await StartApiAsync();
        JobRecord job = await InsertAsync(api, "queued", "2 minutes");
        await PublishAsync(api, "alive", FakeHypervisor.Describe("fed18") with { Id = job.ServerId, PowerState = ServerPowerState.ShutOff });

        Assert.Equal(0, await LookTwiceAsync(api));
        var refused = await Assert.ThrowsAsync<SnapshotException>(() => api.SubmitAsync("fed18"));

        Assert.Equal("dead", (await api.Jobs.FindAsync(job.Id, Token))!.Node);
        Assert.Equal(SnapshotErrorCode.HypervisorUnavailable, refused.Code);
        Assert.Contains("node dead, which ran the server", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_database_whose_clock_was_set_ends_no_job()
    {
        await using JobHost api = await StartApiAsync();
        JobRecord job = await InsertAsync(api, "running", "20 minutes");
        var time = new FakeTimeProvider();
        LostNodes lost = NewLostNodes(api, time);

        for (int i = 0; i < 10; i++)
        {
            Assert.Equal(0, await lost.RunOnceAsync(Token));
            time.Advance(LostNodes.SilenceLimit(api.Get<IOptions<JobsOptions>>().Value) * 0.9);
            await database.ExecuteAsync("UPDATE nodes SET seen_at = seen_at + interval '1 second' WHERE name = 'dead'");
        }

        Assert.Equal(JobStatus.Running, (await api.Jobs.FindAsync(job.Id, Token))!.Status);
    }

    [Fact]
    public async Task Who_comes_back_is_refused()
    {
        await using JobHost api = await StartApiAsync();
        JobRecord job = await InsertAsync(api, "running", "20 minutes");
        await LookTwiceAsync(api);

        Assert.Null(await api.Jobs.RenewLeaseAsync(job.Id, job.Fence, Lease, Token));
        Assert.False(await api.Jobs.DeliverAsync(
            new JobOutcome { JobId = job.Id, Fence = job.Fence, Status = JobStatus.Succeeded, EndedAt = DateTimeOffset.UtcNow }, Token));
        Assert.Null(await api.Jobs.ClaimAsync(job.Id, "dead", Lease, 9, Token));
    }

    [Fact]
    public async Task A_node_that_is_forgotten_takes_its_servers_and_its_jobs_with_it_and_one_that_lives_is_not()
    {
        await using JobHost api = await StartApiAsync();
        JobRecord job = await InsertAsync(api, "queued", "2 minutes");
        await PublishAsync(api, "alive", FakeHypervisor.Describe("other"));

        Assert.False(await api.Get<NodeTable>().DeleteAsync("alive", TimeSpan.FromMinutes(1), Token));
        Assert.True(await api.Get<NodeTable>().DeleteAsync("dead", TimeSpan.FromMinutes(1), Token));
        Assert.Equal(1, await NewLostNodes(api, TimeProvider.System).RunOnceAsync(Token));

        Assert.Equal("alive", Assert.Single(await api.Get<NodeTable>().ListAsync(Token)).Name);
        Assert.Equal(SnapshotErrorCode.NodeLost, (await api.Jobs.FindAsync(job.Id, Token))!.Error!.Code);
        Assert.Equal("other", Assert.Single(
            await api.Get<ServerTable>().ListAsync(new ServerFilter(null, null, null, 10), Token)).Description.Name);
    }

    [Fact]
    public async Task A_drained_node_gets_no_new_jobs_until_it_is_wanted_again()
    {
        await using JobHost api = await StartApiAsync();
        ServerDescription server = FakeHypervisor.Describe("fed18");
        await PublishAsync(api, "alive", server);
        NodeTable nodes = api.Get<NodeTable>();

        Assert.True((await nodes.DrainAsync("alive", isDrained: true, Token))!.IsDrained);
        await PublishAsync(api, "alive", server);
        var refused = await Assert.ThrowsAsync<SnapshotException>(() => api.SubmitAsync("fed18"));
        Assert.False((await nodes.DrainAsync("alive", isDrained: false, Token))!.IsDrained);

        Assert.Equal(SnapshotErrorCode.StateConflict, refused.Code);
        Assert.Contains("is drained", refused.Message, StringComparison.Ordinal);
        Assert.Equal("alive", (await api.SubmitAsync("fed18")).Node);
        Assert.Null(await nodes.DrainAsync("nobody", isDrained: true, Token));
    }

    [Fact(Timeout = 60_000)]
    public async Task The_second_host_of_a_name_does_not_begin_and_the_same_host_does()
    {
        await using var first = new JobHost(database.ConnectionString);
        await first.StartWithServerAsync("of-first");
        await using var second = new JobHost(database.ConnectionString);
        second.Hypervisor.Put(FakeHypervisor.Describe("of-second"));
        await second.StartAsync();

        var agent = second.Get<NodeAgent>();
        await JobHost.UntilAsync(_ => Task.FromResult(agent.ExecuteTask is { IsFaulted: true }));
        Assert.Contains("another host is the node test-node", agent.ExecuteTask!.Exception!.InnerException!.Message, StringComparison.Ordinal);
        Assert.Equal("of-first", Assert.Single(
            await first.Get<ServerTable>().ListAsync(new ServerFilter(null, null, null, 10), Token)).Description.Name);

        await first.StopAsync();
        await using var again = new JobHost(database.ConnectionString, first.WorkDirectory);
        await again.StartWithServerAsync("of-again");
    }

    /// <summary>Looks, and looks again when a node that does not speak has been silent for long enough here, too.</summary>
    private static async Task<int> LookTwiceAsync(JobHost api)
    {
        var time = new FakeTimeProvider();
        LostNodes lost = NewLostNodes(api, time);
        Assert.Equal(0, await lost.RunOnceAsync(Token));
        time.Advance(LostNodes.SilenceLimit(api.Get<IOptions<JobsOptions>>().Value));
        return await lost.RunOnceAsync(Token);
    }

    private static LostNodes NewLostNodes(JobHost api, TimeProvider time) => new(
        api.Jobs, api.Get<JobEnqueuer>(), api.Get<DatabaseStartup>(), api.Get<IOptions<JobsOptions>>(), time, NullLogger<LostNodes>.Instance);

    private async Task<JobHost> StartApiAsync()
    {
        var host = new JobHost(
            database.ConnectionString,
            settings: new() { ["Jobs:RefreshTimeout"] = "00:00:00", ["Jobs:HeartbeatInterval"] = "00:00:10" });
        await host.StartAsync(isNode: false);
        await JobHost.UntilAsync(_ => Task.FromResult(host.Get<DatabaseStartup>().IsReady));
        return host;
    }

    /// <summary>A job of the node <c>dead</c>, whose last heartbeat is so old and whose lease has ended.</summary>
    private async Task<JobRecord> InsertAsync(JobHost api, string status, string silence)
    {
        ServerDescription server = FakeHypervisor.Describe("fed18");
        await PublishAsync(api, "dead", server);
        JobRecord job = await api.Jobs.InsertAsync(
            Guid.CreateVersion7(), server.Id, server.Name, "dead", JobHost.Request(), Token);
        if (status == "running")
        {
            await api.Jobs.ClaimAsync(job.Id, "dead", Lease, 2, Token);
            await database.ExecuteAsync($"UPDATE jobs SET lease_expires_at = now() - interval '{silence}'");
        }

        await database.ExecuteAsync($"UPDATE nodes SET seen_at = now() - interval '{silence}' WHERE name = 'dead'");
        return (await api.Jobs.FindAsync(job.Id, Token))!;
    }

    private static async Task PublishAsync(JobHost host, string node, ServerDescription server)
    {
        await host.Get<NodeTable>().PublishAsync(
            new NodeRecord(node, new FakeHypervisor().Capabilities, true, "1", 0, 0, 4, 0, [], default),
            TimeSpan.FromMinutes(1),
            Token);
        await host.Get<ServerTable>().PublishChangesAsync(node, [server], [], [], Token);
    }
}
