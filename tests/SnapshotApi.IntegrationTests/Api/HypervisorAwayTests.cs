using SnapshotApi.Hypervisor;

namespace SnapshotApi.IntegrationTests.Api;

public sealed class HypervisorAwayTests(ServiceFixture service) : IClassFixture<ServiceFixture>
{
    [Fact]
    public async Task Libvirt_away_is_503_with_retry_after_and_readiness_names_it()
    {
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        ServerDescription server = await service.AddServerAsync();
        service.Service.Hypervisor.Connect(false);
        await ServiceFixture.WaitUntilAsync(async () =>
            !(await service.ReadAsync("/nodes")).GetProperty("items")[0].GetProperty("isConnected").GetBoolean());

        using HttpResponseMessage post = await service.PostAsync(server.Name);
        using HttpResponseMessage ready = await service.Client.GetAsync("/health/ready", cancellation);

        await ServiceFixture.ProblemAsync(post, 503, "hypervisor_unavailable");
        Assert.NotNull(post.Headers.RetryAfter?.Delta);
        var readiness = await ServiceFixture.JsonAsync(ready, 503);
        var failed = Assert.Single(readiness.GetProperty("parts").EnumerateArray(), p => !p.GetProperty("isReady").GetBoolean());
        Assert.Equal("hypervisor", failed.GetProperty("name").GetString());
        Assert.Equal(
            ["database", "hypervisor", "stores", "node_queue", "journal", "servers", "captures"],
            readiness.GetProperty("parts").EnumerateArray().Select(p => p.GetProperty("name").GetString()));
    }
}
