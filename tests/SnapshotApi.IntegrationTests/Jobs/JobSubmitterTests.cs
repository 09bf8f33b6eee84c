using System.Transactions;
using SnapshotApi.Errors;
using SnapshotApi.Hypervisor;
using SnapshotApi.IntegrationTests.Persistence;
using SnapshotApi.Jobs;
using SnapshotApi.Persistence;
using SnapshotApi.Snapshots;
using SnapshotApi.Tests.Fakes;

namespace SnapshotApi.IntegrationTests.Jobs;

public sealed class JobSubmitterTests(TestDatabase database) : IClassFixture<TestDatabase>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_submitted_job_has_one_delivery_in_its_nodes_queue()
    {
        await using JobHost host = await StartApiAsync();
        ServerDescription server = await PublishAsync(host, FakeHypervisor.Describe("one"));

        JobRecord job = await host.SubmitAsync("one");

        Assert.Equal(
            (JobStatus.Queued, server.Id, "one", "other-node"), (job.Status, job.ServerId, job.ServerName, job.Node));
        Assert.Equal(1L, await CountDeliveriesAsync(job.Id));
        Assert.Equal("node_other-node", await database.ScalarAsync<string>(
            $"""
            SELECT queue FROM hangfire.jobqueue q JOIN jobs j ON q.jobid::text = j.delivery WHERE j.id = '{job.Id}'
            """));
    }

    [Fact]
    public async Task A_rollback_leaves_neither_job_nor_delivery()
    {
        await using JobHost host = await StartApiAsync();
        Guid id = Guid.CreateVersion7();
        long before = await database.ScalarAsync<long>("SELECT count(*) FROM hangfire.job");
        long queued = await database.ScalarAsync<long>("SELECT count(*) FROM hangfire.jobqueue");

        using (TransactionScope transaction = JobEnqueuer.BeginTransaction())
        {
            await host.Jobs.InsertAsync(id, Guid.NewGuid(), "x", "other-node", new SnapshotRequest("x"), Token);
            await host.Get<JobEnqueuer>().EnqueueAsync(id, "other-node", Token);
            Assert.NotNull(await host.Jobs.FindAsync(id, Token));
        }

        Assert.Null(await host.Jobs.FindAsync(id, Token));
        Assert.Equal(before, await database.ScalarAsync<long>("SELECT count(*) FROM hangfire.job"));
        Assert.Equal(queued, await database.ScalarAsync<long>("SELECT count(*) FROM hangfire.jobqueue"));
    }

    [Fact]
    public async Task A_second_job_of_a_server_is_refused_with_the_first()
    {
        await using JobHost host = await StartApiAsync();
        await PublishAsync(host, FakeHypervisor.Describe("busy"));
        JobRecord first = await host.SubmitAsync("busy");

        SnapshotException error = await RefusedAsync(host, "busy", SnapshotErrorCode.ServerBusy);

        Assert.Equal(first.Id, error.Details["job"]);
    }

    [Fact]
    public async Task Of_many_requests_at_once_one_is_accepted()
    {
        await using JobHost host = await StartApiAsync();
        await PublishAsync(host, FakeHypervisor.Describe("crowd"));

        Task<JobRecord>[] requests = [.. Enumerable.Range(0, 8).Select(_ => Task.Run(() => host.SubmitAsync("crowd")))];
        await Task.WhenAll(requests).ContinueWith(_ => { }, Token, TaskContinuationOptions.None, TaskScheduler.Default);

        JobRecord accepted = await Assert.Single(requests, r => r.IsCompletedSuccessfully);
        foreach (Task<JobRecord> refused in requests.Where(r => !r.IsCompletedSuccessfully))
        {
            var error = await Assert.ThrowsAsync<SnapshotException>(() => refused);
            Assert.Equal(SnapshotErrorCode.ServerBusy, error.Code);
            Assert.Equal(accepted.Id, error.Details["job"]);
        }

        Assert.Equal(1L, await CountDeliveriesAsync(accepted.Id));
    }

    [Fact]
    public async Task A_name_of_two_servers_is_refused_with_both_ids()
    {
        await using JobHost host = await StartApiAsync();
        ServerDescription first = await PublishAsync(host, FakeHypervisor.Describe("twin"));
        ServerDescription second = await PublishAsync(host, FakeHypervisor.Describe("twin"));

        SnapshotException error = await RefusedAsync(host, "twin", SnapshotErrorCode.ServerAmbiguous);

        var ids = Assert.IsAssignableFrom<IEnumerable<Guid>>(error.Details["serverIds"]);
        Assert.Equal(new[] { first.Id, second.Id }.Order(), ids.Order());
        Assert.Equal(first.Id, (await host.SubmitAsync(first.Id.ToString())).ServerId);
    }

    [Fact]
    public async Task A_server_that_nobody_knows_is_not_found()
    {
        await using JobHost host = await StartApiAsync();
        await PublishAsync(host, FakeHypervisor.Describe("known"));

        await RefusedAsync(host, "unknown", SnapshotErrorCode.ServerNotFound);
        await RefusedAsync(host, Guid.NewGuid().ToString(), SnapshotErrorCode.ServerNotFound);
    }

    [Fact]
    public async Task A_server_of_a_silent_node_or_one_without_libvirt_is_unavailable()
    {
        await using JobHost host = await StartApiAsync();
        await PublishAsync(host, FakeHypervisor.Describe("on-silent"), "silent");
        await database.ExecuteAsync(
            "UPDATE nodes SET seen_at = clock_timestamp() - interval '1 hour' WHERE name = 'silent'");
        await PublishAsync(host, FakeHypervisor.Describe("on-deaf"), "deaf");
        await database.ExecuteAsync("UPDATE nodes SET hypervisor_connected = false WHERE name = 'deaf'");

        await RefusedAsync(host, "on-silent", SnapshotErrorCode.HypervisorUnavailable);
        await RefusedAsync(host, "on-deaf", SnapshotErrorCode.HypervisorUnavailable);
    }

    [Fact]
    public async Task A_server_that_migrates_belongs_to_the_node_on_which_it_runs()
    {
        await using JobHost host = await StartApiAsync();
        ServerDescription server = FakeHypervisor.Describe("moving");
        await PublishAsync(host, server with { PowerState = ServerPowerState.ShutOff }, "source");
        await PublishAsync(host, server, "target");

        JobRecord job = await host.SubmitAsync("moving");

        Assert.Equal("target", job.Node);
    }

    [Fact]
    public async Task What_can_not_be_planned_is_refused_and_leaves_nothing()
    {
        await using JobHost host = await StartApiAsync();
        ServerDescription server = await PublishAsync(host, FakeHypervisor.Describe("foreign", activeJob: "backup"));

        await RefusedAsync(host, "foreign", SnapshotErrorCode.ServerBusy);

        Assert.Null(await host.Jobs.FindActiveAsync(server.Id, Token));
    }

    [Fact]
    public async Task What_a_node_saw_a_while_ago_is_no_reason_to_refuse()
    {
        await using var host = new JobHost(
            database.ConnectionString,
            settings: new() { ["Jobs:RefreshTimeout"] = "00:00:00", ["Node:InventoryInterval"] = "00:10:00" });
        ServerDescription busy = FakeHypervisor.Describe("stale", activeJob: "mirror");
        host.Hypervisor.Put(busy);
        await host.StartAsync();
        await host.WaitUntilPublishedAsync("stale");
        await host.Get<NodeHeartbeat>().PublishAsync(Token);
        host.Hypervisor.Put(busy with { ActiveJob = null }, raiseEvent: false);

        JobRecord job = await host.SubmitAsync("stale");

        Assert.Equal(busy.Id, job.ServerId);
    }

    [Fact]
    public async Task The_same_key_and_body_answer_the_same_job()
    {
        await using JobHost host = await StartApiAsync();
        await PublishAsync(host, FakeHypervisor.Describe("keyed"));
        var key = new IdempotencyKey("same", [1, 2, 3]);

        JobRecord first = await host.SubmitAsync("keyed", key: key);
        JobRecord second = await host.SubmitAsync("keyed", key: key);
        await host.Get<JobCanceller>().CancelAsync(first.Id, Token);
        JobRecord third = await host.SubmitAsync("keyed", key: key);

        Assert.Equal(first.Id, second.Id);
        Assert.Equal((first.Id, JobStatus.Cancelled), (third.Id, third.Status));
    }

    [Fact]
    public async Task The_same_key_with_another_body_or_server_is_refused()
    {
        await using JobHost host = await StartApiAsync();
        await PublishAsync(host, FakeHypervisor.Describe("mine"));
        await host.SubmitAsync("mine", key: new IdempotencyKey("other", [1]));

        await RefusedAsync(host, "mine", SnapshotErrorCode.IdempotencyMismatch, new IdempotencyKey("other", [2]));
        await RefusedAsync(host, "yours", SnapshotErrorCode.IdempotencyMismatch, new IdempotencyKey("other", [1]));
    }

    [Fact]
    public async Task Requests_with_one_key_at_once_all_get_one_job()
    {
        await using JobHost host = await StartApiAsync();
        await PublishAsync(host, FakeHypervisor.Describe("parallel"));
        var key = new IdempotencyKey("parallel", [9]);

        JobRecord[] jobs = await Task.WhenAll(
            Enumerable.Range(0, 8).Select(_ => Task.Run(() => host.SubmitAsync("parallel", key: key))));

        Assert.Single(jobs.Select(j => j.Id).Distinct());
        Assert.Equal(1L, await CountDeliveriesAsync(jobs[0].Id));
    }

    [Fact]
    public async Task A_key_that_is_too_old_is_free_again()
    {
        await using JobHost host = await StartApiAsync();
        await PublishAsync(host, FakeHypervisor.Describe("aged"));
        var key = new IdempotencyKey("aged", [1]);
        JobRecord first = await host.SubmitAsync("aged", key: key);
        await host.Get<JobCanceller>().CancelAsync(first.Id, Token);
        await database.ExecuteAsync(
            "UPDATE idempotency_keys SET created_at = clock_timestamp() - interval '25 hours' WHERE key = 'aged'");

        JobRecord second = await host.SubmitAsync("aged", key: key with { BodyHash = [2] });

        Assert.NotEqual(first.Id, second.Id);
    }

    /// <summary>An API process; its nodes are rows only, so nothing takes the jobs.</summary>
    private async Task<JobHost> StartApiAsync()
    {
        var host = new JobHost(
            database.ConnectionString,
            settings: new() { ["Jobs:RefreshTimeout"] = "00:00:00", ["Jobs:HeartbeatInterval"] = "00:01:00" });
        await host.StartAsync(isNode: false);
        await JobHost.UntilAsync(_ => Task.FromResult(host.Get<DatabaseStartup>().IsReady));
        return host;
    }

    private static async Task<ServerDescription> PublishAsync(
        JobHost host, ServerDescription server, string node = "other-node")
    {
        await host.Get<NodeTable>().PublishAsync(
            new NodeRecord(node, new FakeHypervisor().Capabilities, true, "1", 0, 0, 4, 0, [], default),
            TimeSpan.FromMinutes(1),
            Token);
        await host.Get<ServerTable>().PublishChangesAsync(node, [server], [], [], Token);
        return server;
    }

    private static async Task<SnapshotException> RefusedAsync(
        JobHost host, string server, SnapshotErrorCode code, IdempotencyKey? key = null)
    {
        var error = await Assert.ThrowsAsync<SnapshotException>(() => host.SubmitAsync(server, key: key));
        Assert.Equal(code, error.Code);
        return error;
    }

    private Task<long> CountDeliveriesAsync(Guid jobId) =>
        database.ScalarAsync<long>($"SELECT count(*) FROM hangfire.job WHERE arguments::text LIKE '%{jobId}%'");
}
