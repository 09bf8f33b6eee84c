using System.Text.Json;
using SnapshotApi.Hypervisor;
using SnapshotApi.Tests.Fakes;

namespace SnapshotApi.IntegrationTests.Api;

public sealed class SnapshotEndpointsTests(ServiceFixture service) : IClassFixture<ServiceFixture>
{
    [Fact]
    public async Task A_snapshot_is_accepted_by_name_and_by_UUID()
    {
        ServerDescription named = await service.AddServerAsync();
        ServerDescription numbered = await service.AddServerAsync();

        using HttpResponseMessage byName = await service.PostAsync(named.Name);
        using HttpResponseMessage byId = await service.PostAsync(numbered.Id.ToString());

        JsonElement job = await ServiceFixture.JsonAsync(byName);
        string id = job.GetProperty("id").GetString()!;
        Assert.Equal($"/jobs/{id}", byName.Headers.Location?.OriginalString);
        Assert.Equal(TimeSpan.FromSeconds(1), byName.Headers.RetryAfter?.Delta);
        Assert.Equal("\"1\"", byName.Headers.ETag?.Tag);
        Assert.Equal("queued", job.GetProperty("status").GetString());
        Assert.Equal("snap1", job.GetProperty("name").GetString());
        Assert.Equal("kvm1", job.GetProperty("node").GetString());
        Assert.Equal(named.Id, job.GetProperty("server").GetProperty("id").GetGuid());
        Assert.Equal(numbered.Id, (await ServiceFixture.JsonAsync(byId)).GetProperty("server").GetProperty("id").GetGuid());
        Assert.Equal(id, (await service.ReadAsync($"/servers/{named.Name}/snapshots")).GetProperty("items")[0].GetProperty("id").GetString());
    }

    [Fact]
    public async Task A_busy_server_names_the_job_that_is_at_work()
    {
        var goOn = new TaskCompletionSource();
        service.Service.Pipeline.Body = FakePipeline.Hold(goOn.Task);
        ServerDescription server = await service.AddServerAsync();
        JsonElement first = await ServiceFixture.JsonAsync(await service.PostAsync(server.Name));

        using HttpResponseMessage second = await service.PostAsync(server.Name);

        JsonElement problem = await ServiceFixture.ProblemAsync(second, 409, "server_busy");
        Assert.Equal($"/jobs/{first.GetProperty("id").GetString()}", problem.GetProperty("job").GetString());
        goOn.SetResult();
    }

    [Fact]
    public async Task The_same_key_answers_the_same_job_and_another_request_is_refused()
    {
        ServerDescription server = await service.AddServerAsync();
        ServerDescription other = await service.AddServerAsync();
        string key = Guid.NewGuid().ToString();

        using HttpResponseMessage first = await service.PostAsync(server.Name, key: key);
        using HttpResponseMessage again = await service.PostAsync(server.Name, key: key);
        using HttpResponseMessage otherBody = await service.PostAsync(server.Name, """{"name":"snap2"}""", key);
        using HttpResponseMessage otherServer = await service.PostAsync(other.Name, key: key);

        Assert.Equal(
            (await ServiceFixture.JsonAsync(first)).GetProperty("id").GetString(),
            (await ServiceFixture.JsonAsync(again)).GetProperty("id").GetString());
        Assert.Equal(first.Headers.Location, again.Headers.Location);
        await ServiceFixture.ProblemAsync(otherBody, 422, "idempotency_mismatch");
        await ServiceFixture.ProblemAsync(otherServer, 422, "idempotency_mismatch");
    }

    [Fact]
    public async Task An_unknown_server_is_not_found()
    {
        using HttpResponseMessage response = await service.PostAsync("nobody");

        await ServiceFixture.ProblemAsync(response, 404, "server_not_found");
    }

    [Fact]
    public async Task An_ambiguous_name_lists_the_UUIDs()
    {
        string name = $"twin-{Guid.NewGuid():N}";
        ServerDescription[] twins = [await service.AddServerAsync(name), await service.AddServerAsync(name)];

        using HttpResponseMessage post = await service.PostAsync(name);
        using HttpResponseMessage get = await service.Client.GetAsync($"/servers/{name}", TestContext.Current.CancellationToken);

        foreach (HttpResponseMessage response in new[] { post, get })
        {
            JsonElement problem = await ServiceFixture.ProblemAsync(response, 409, "server_ambiguous");
            Assert.Equal(twins.Select(t => t.Id).Order(), problem.GetProperty("serverIds").EnumerateArray().Select(i => i.GetGuid()).Order());
        }
    }

    [Fact]
    public async Task A_disk_that_can_not_be_captured_is_refused_at_once()
    {
        ServerDescription server = await service.AddServerAsync(change: s => s with { Disks = [s.Disks[0] with { IsShareable = true }] });

        using HttpResponseMessage response = await service.PostAsync(server.Name);
        using HttpResponseMessage missing = await service.PostAsync((await service.AddServerAsync()).Name, """{"name":"n","disks":["vdz"]}""");

        JsonElement problem = await ServiceFixture.ProblemAsync(response, 422, "unsupported_disk");
        Assert.Contains("vda", problem.GetProperty("detail").GetString(), StringComparison.Ordinal);
        Assert.Equal(422, (int)missing.StatusCode);
    }

    [Fact]
    public async Task Somebody_elses_job_on_the_server_makes_it_busy()
    {
        ServerDescription server = await service.AddServerAsync(change: s => s with { ActiveJob = "backup" });

        using HttpResponseMessage response = await service.PostAsync(server.Name);

        JsonElement problem = await ServiceFixture.ProblemAsync(response, 409, "server_busy");
        Assert.False(problem.TryGetProperty("job", out _));
    }
}
