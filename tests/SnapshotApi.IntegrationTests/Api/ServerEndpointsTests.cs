using System.Text.Json;
using SnapshotApi.Hypervisor;

namespace SnapshotApi.IntegrationTests.Api;

public sealed class ServerEndpointsTests(ServiceFixture service) : IClassFixture<ServiceFixture>
{
    [Fact]
    public async Task Servers_are_paged_by_name()
    {
        foreach (string name in new[] { "delta", "alpha", "charlie", "bravo", "alpha" })
        {
            await service.AddServerAsync(name);
        }

        var seen = new List<string>();
        string? next = "/servers?limit=2";
        while (next is not null)
        {
            JsonElement page = await service.ReadAsync(next);
            Assert.InRange(page.GetProperty("items").GetArrayLength(), 1, 2);
            seen.AddRange(page.GetProperty("items").EnumerateArray().Select(s => s.GetProperty("name").GetString()!));
            next = page.GetProperty("next").GetString();
        }

        // Other tests of the class may have been here first.
        Assert.Equal(["alpha", "alpha", "bravo", "charlie", "delta"], seen.Where(name => name != "echo"));
        Assert.Equal(2, (await service.ReadAsync("/servers?name=alpha&node=kvm1")).GetProperty("items").GetArrayLength());
        Assert.Equal(0, (await service.ReadAsync("/servers?node=kvm2")).GetProperty("items").GetArrayLength());
    }

    [Fact]
    public async Task A_server_shows_its_disks_and_no_host_path()
    {
        ServerDescription server = await service.AddServerAsync("echo");

        JsonElement shown = await service.ReadAsync($"/servers/{server.Id}");

        Assert.Equal("running", shown.GetProperty("powerState").GetString());
        Assert.Equal("vda", shown.GetProperty("disks")[0].GetProperty("target").GetString());
        Assert.Equal($"/servers/{server.Id}/snapshots", shown.GetProperty("links").GetProperty("snapshots").GetString());
        Assert.DoesNotContain("/var/lib", shown.GetRawText(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_node_is_listed_with_what_it_can_do()
    {
        JsonElement node = Assert.Single((await service.ReadAsync("/nodes")).GetProperty("items").EnumerateArray());

        Assert.Equal("kvm1", node.GetProperty("name").GetString());
        Assert.Equal(
            ["cold", "mirror", "backup"],
            node.GetProperty("capabilities").GetProperty("captures").EnumerateArray().Select(c => c.GetString()));
    }

    [Fact]
    public async Task Pages_for_people_are_served()
    {
        CancellationToken cancellation = TestContext.Current.CancellationToken;

        Assert.Contains("SnapshotApi jobs", await service.Client.GetStringAsync("/hangfire", cancellation), StringComparison.Ordinal);
        Assert.Contains("swagger-ui", await service.Client.GetStringAsync("/swagger/index.html", cancellation), StringComparison.Ordinal);
    }
}
