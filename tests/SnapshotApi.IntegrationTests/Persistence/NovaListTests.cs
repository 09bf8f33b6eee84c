using SnapshotApi.Hypervisor;
using SnapshotApi.Persistence;
using SnapshotApi.Tests.Fakes;

namespace SnapshotApi.IntegrationTests.Persistence;

/// <summary>Lists for Nova's clients, page by page.</summary>
public sealed class NovaListTests(TestDatabase database) : IClassFixture<TestDatabase>, IAsyncLifetime
{
    private static readonly TimeSpan Within = TimeSpan.FromMinutes(1);

    private ServerTable Servers => new(database.Database);
    private NodeTable Nodes => new(database.Database);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => await database.ExecuteAsync("TRUNCATE servers, nodes");

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Theory]
    [InlineData("alive", "a", "z")]
    [InlineData("alive", "z", "a")]
    [InlineData("running", "a", "z")]
    [InlineData("running", "z", "a")]
    public async Task A_server_that_twoNodes_know_by_two_names_is_listed_once_and_keeps_no_other_off(string why, string first, string second)
    {
        ServerDescription server = FakeHypervisor.Describe(second);
        ServerPowerState left = why == "running" ? ServerPowerState.ShutOff : ServerPowerState.Running;
        await PublishAsync("n1", server with { Name = first, PowerState = left }, FakeHypervisor.Describe("b"), FakeHypervisor.Describe("c"));
        await PublishAsync("n2", server);
        if (why == "alive")
        {
            await database.ExecuteAsync("UPDATE nodes SET seen_at = now() - interval '1 hour' WHERE name = 'n1'");
        }
        else
        {
            await database.ExecuteAsync("UPDATE servers SET seen_at = now() + interval '1 second' WHERE node = 'n1'");
        }

        var names = new List<string>();
        (string Name, Guid Id)? after = null;
        for (int i = 0; i < 10; i++)
        {
            IReadOnlyList<ServerRecord> page = await Servers.ListForNovaAsync(new NovaServerFilter(null, after, Within, 1), Token);
            if (page.Count == 0)
            {
                break;
            }

            names.Add(page[0].Description.Name);
            after = (page[0].Description.Name, page[0].Description.Id);
        }

        Assert.Equal(new[] { "b", "c", second }.Order(StringComparer.Ordinal), names);
    }

    private async Task PublishAsync(string node, params ServerDescription[] servers)
    {
        await Nodes.PublishAsync(new NodeRecord(node, new FakeHypervisor().Capabilities, true, "1", 0, 0, 4, 0, [], default), Within, Token);
        await Servers.PublishAllAsync(node, servers, [], Token);
    }
}
