using System.Text.Json;

namespace SnapshotApi.Tests.Api.Access;

public sealed class SnapshotRateLimitTests
{
    private const string Path = "/servers/x/snapshots";

    [Fact]
    public async Task Each_key_has_a_bucket_of_its_own_for_snapshots_alone()
    {
        await using var service = new KeyedService(
            ("RateLimit:SnapshotBurst", "2"), ("RateLimit:SnapshotsPerMinute", "1"));
        string key = KeyedService.KeyOf("operator");

        using HttpResponseMessage first = await service.SendAsAsync(key, "POST", Path);
        using HttpResponseMessage second = await service.SendAsAsync(key, "POST", Path);
        using HttpResponseMessage third = await service.SendAsAsync(key, "POST", Path);
        using HttpResponseMessage other = await service.SendAsAsync(KeyedService.KeyOf("admin"), "POST", Path);
        using HttpResponseMessage list = await service.SendAsAsync(key, "GET", Path);
        using HttpResponseMessage stranger = await service.SendAsAsync("wrong", "POST", Path);

        await KeyedService.ProblemAsync(first, 503, "database_unavailable");
        await KeyedService.ProblemAsync(second, 503, "database_unavailable");
        JsonElement problem = await KeyedService.ProblemAsync(third, 429, "rate_limited");
        Assert.Contains("nothing was done", problem.GetProperty("detail").GetString(), StringComparison.Ordinal);
        Assert.InRange(third.Headers.RetryAfter!.Delta!.Value.TotalSeconds, 1, 60);
        await KeyedService.ProblemAsync(other, 503, "database_unavailable");
        await KeyedService.ProblemAsync(list, 503, "database_unavailable");
        await KeyedService.ProblemAsync(stranger, 401, "unauthorized");
    }

    [Theory]
    [InlineData("1", 429)]
    [InlineData("0", 503)]
    public async Task Who_is_not_asked_is_limited_too_unless_there_is_no_limit(string perMinute, int status)
    {
        await using var factory = new ApiFactory(
            ("RateLimit:SnapshotBurst", "1"), ("RateLimit:SnapshotsPerMinute", perMinute));
        using HttpClient client = factory.CreateClient();

        var statuses = new List<int>();
        for (int i = 0; i < 2; i++)
        {
            using var body = new StringContent("""{"name":"n"}""", System.Text.Encoding.UTF8, "application/json");
            using HttpResponseMessage response = await client.PostAsync(
                Path, body, TestContext.Current.CancellationToken);
            statuses.Add((int)response.StatusCode);
        }

        Assert.Equal([503, status], statuses);
    }
}
