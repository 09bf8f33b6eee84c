using SnapshotApi.Errors;
using SnapshotApi.Hypervisor;
using SnapshotApi.IntegrationTests.Persistence;
using SnapshotApi.Jobs;
using SnapshotApi.Persistence;
using SnapshotApi.Tests.Fakes;

namespace SnapshotApi.IntegrationTests.Jobs;

public sealed class InventoryTests(TestDatabase database) : IClassFixture<TestDatabase>, IAsyncLifetime
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() =>
        await database.ExecuteAsync(
            "TRUNCATE jobs, job_events, servers, nodes, images, idempotency_keys; TRUNCATE hangfire.jobqueue");

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Fact]
    public async Task A_node_publishes_itself()
    {
        await using var host = new JobHost(database.ConnectionString);
        await host.StartWithServerAsync();

        NodeRecord node = Assert.Single(await host.Get<NodeTable>().ListAsync(Token));

        Assert.Equal(("test-node", true, 4, 0), (node.Name, node.HypervisorConnected, node.MaxJobs, node.RunningJobs));
        Assert.Equal(host.Hypervisor.Capabilities, node.Capabilities);
        Assert.True(node.WorkFreeBytes > 0);
        Assert.True(node.StoreFreeBytes > 0);
        Assert.Empty(node.Problems);
    }

    [Fact]
    public async Task A_server_that_came_or_went_is_published_when_libvirt_tells()
    {
        await using var host = new JobHost(database.ConnectionString);
        await host.StartWithServerAsync();

        ServerDescription made = host.Hypervisor.Put(FakeHypervisor.Describe("made-later"));
        await host.WaitUntilPublishedAsync("made-later");
        host.Hypervisor.Remove(made.Id);
        await JobHost.UntilAsync(async ct => (await host.Get<ServerTable>().FindAsync("made-later", ct)).Count == 0);

        Assert.Equal("fed18", Assert.Single(await host.Get<ServerTable>().ListAsync(new ServerFilter(null, null, null, 10), Token)).Description.Name);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_server_that_libvirt_has_not_told_of_yet_is_found(bool byId)
    {
        await using var host = new JobHost(
            database.ConnectionString, settings: new() { ["Node:InventoryInterval"] = "00:10:00" });
        await host.StartWithServerAsync();
        ServerDescription fresh = host.Hypervisor.Put(FakeHypervisor.Describe("just-made"), raiseEvent: false);

        JobRecord job = await host.SubmitAsync(byId ? fresh.Id.ToString() : "just-made");

        Assert.Equal(fresh.Id, job.ServerId);
    }

    [Fact]
    public async Task A_job_of_somebody_else_that_began_a_moment_ago_is_seen()
    {
        await using var host = new JobHost(
            database.ConnectionString, settings: new() { ["Node:InventoryInterval"] = "00:10:00" });
        ServerDescription server = await host.StartWithServerAsync();
        host.Hypervisor.Put(server with { ActiveJob = "backup" }, raiseEvent: false);

        var error = await Assert.ThrowsAsync<SnapshotException>(() => host.SubmitAsync("fed18"));

        Assert.Equal(SnapshotErrorCode.ServerBusy, error.Code);
        Assert.Empty(error.Details);
    }

    [Fact]
    public async Task A_lost_libvirt_is_published_at_once_and_so_is_its_return()
    {
        await using var host = new JobHost(database.ConnectionString);
        await host.StartWithServerAsync();

        host.Hypervisor.Connect(false);
        await JobHost.UntilAsync(async ct => !(await host.Get<NodeTable>().ListAsync(ct))[0].HypervisorConnected);
        var error = await Assert.ThrowsAsync<SnapshotException>(() => host.SubmitAsync("fed18"));
        host.Hypervisor.Connect(true);
        await JobHost.UntilAsync(async ct => (await host.Get<NodeTable>().ListAsync(ct))[0].HypervisorConnected);
        JobRecord job = await host.SubmitAsync("fed18");

        Assert.Equal(SnapshotErrorCode.HypervisorUnavailable, error.Code);
        await host.WaitForAsync(job.Id, JobStatus.Succeeded);
    }

    [Fact]
    public async Task A_node_whose_row_was_deleted_publishes_itself_again()
    {
        await using var host = new JobHost(database.ConnectionString);
        await host.StartWithServerAsync();

        await database.ExecuteAsync("DELETE FROM nodes");
        host.Hypervisor.Put(FakeHypervisor.Describe("later"));

        await host.WaitUntilPublishedAsync("later");
        await host.WaitUntilPublishedAsync("fed18");
    }

    [Fact]
    public async Task What_has_not_changed_is_not_written_again_and_is_seen_again_all_the_same()
    {
        await using var host = new JobHost(
            database.ConnectionString, settings: new() { ["Node:InventoryInterval"] = "00:00:01" });
        await host.StartWithServerAsync();
        ServerDescription other = host.Hypervisor.Put(FakeHypervisor.Describe("other"));
        await host.WaitUntilPublishedAsync("other");
        DateTimeOffset written = await WrittenAsync("fed18");
        ServerRecord before = Assert.Single(await host.Get<ServerTable>().FindAsync("fed18", Token));

        await JobHost.UntilAsync(async ct =>
            (await host.Get<ServerTable>().FindAsync("fed18", ct))[0].SeenAt > before.SeenAt);
        host.Hypervisor.Put(other with { IsAutostart = !other.IsAutostart }, raiseEvent: false);
        DateTimeOffset otherWritten = await WrittenAsync("other");
        await JobHost.UntilAsync(async _ => await WrittenAsync("other") > otherWritten);

        Assert.Equal(written, await WrittenAsync("fed18"));
    }

    [Fact]
    public async Task A_request_is_heard_by_the_nodes_that_it_names()
    {
        await using var host = new JobHost(
            database.ConnectionString, settings: new() { ["Node:InventoryInterval"] = "00:10:00" });
        ServerDescription server = await host.StartWithServerAsync();
        host.Hypervisor.Put(server with { IsAutostart = !server.IsAutostart }, raiseEvent: false);
        DateTimeOffset written = await WrittenAsync("fed18");

        // One for another node, then one for this: whoever heard the first would have written before the second.
        await NotifyAsync(new RefreshRequest("t1", "fed18", ["another-node"]));
        host.Hypervisor.Put(FakeHypervisor.Describe("second"), raiseEvent: false);
        await NotifyAsync(new RefreshRequest("t2", "second", ["another-node", "test-node"]));
        await host.WaitUntilPublishedAsync("second");

        Assert.Equal(written, await WrittenAsync("fed18"));
    }

    private Task NotifyAsync(RefreshRequest request) =>
        database.ExecuteAsync($"SELECT pg_notify('{Channels.Refresh}', '{request.ToPayload()}')");

    private async Task<DateTimeOffset> WrittenAsync(string server) => new(
        await database.ScalarAsync<DateTime>($"SELECT seen_at FROM servers WHERE name = '{server}'"), TimeSpan.Zero);
}
