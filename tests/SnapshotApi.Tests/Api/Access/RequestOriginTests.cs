using System.Net;

namespace SnapshotApi.Tests.Api.Access;

/// <summary>What a browser sends for a page of another site gets nothing, whoever is asked for a key.</summary>
public sealed class RequestOriginTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("evil.example")]
    [InlineData("evil.example:5080")]
    [InlineData("localhost.evil.example")]
    [InlineData("127.0.0.1.evil.example")]
    [InlineData("shop.example.evil")]
    public async Task A_name_that_is_not_this_hosts_is_refused_before_anybody_is_asked_for_a_key(string host)
    {
        await using var open = new ApiFactory(("AllowedHosts", "*.example.com; shop.example"));
        await using var keyed = new KeyedService();
        using HttpClient client = open.CreateClient();
        foreach (string path in new[] { "/health/live", "/nodes", "/swagger/index.html", "/hangfire", "/" })
        {
            using HttpResponseMessage without = await SendAsync(client, "GET", path, ("Host", host));
            using HttpResponseMessage with = await SendAsync(
                keyed.Client, "GET", path, ("Host", host), ("Authorization", $"Bearer {KeyedService.KeyOf("admin")}"));

            await KeyedService.ProblemAsync(without, 400, "http_error");
            await KeyedService.ProblemAsync(with, 400, "http_error");
        }
    }

    [Theory]
    [InlineData("localhost")]
    [InlineData("LOCALHOST:1234")]
    [InlineData("127.0.0.1:5080")]
    [InlineData("[::1]:5080")]
    [InlineData("192.0.2.7")]
    [InlineData("[2001:db8::7]:443")]
    [InlineData("a.example.com")]
    [InlineData("shop.example:8443")]
    public async Task Names_of_this_host_and_of_the_operator_and_every_address_are_right(string host)
    {
        await using var open = new ApiFactory(("AllowedHosts", "*.example.com; shop.example"));
        using HttpClient client = open.CreateClient();
        using HttpResponseMessage response = await SendAsync(client, "GET", "/health/live", ("Host", host));

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
    }

    [Fact]
    public async Task The_name_of_the_machine_and_that_in_its_addresses_are_right()
    {
        await using var open = new ApiFactory(("Urls", "http://kvm7.example:80;http://*:81"));
        using HttpClient client = open.CreateClient();
        foreach ((string host, int status) in new[] { (Dns.GetHostName(), 200), ("kvm7.example", 200), ("x.example", 400) })
        {
            using HttpResponseMessage response = await SendAsync(client, "GET", "/health/live", ("Host", host));
            Assert.Equal(status, (int)response.StatusCode);
        }
    }

    [Fact]
    public async Task Who_allows_any_name_gets_any()
    {
        await using var open = new ApiFactory(("AllowedHosts", "*"));
        using HttpClient client = open.CreateClient();
        using HttpResponseMessage named = await SendAsync(client, "GET", "/health/live", ("Host", "x.example"));
        using HttpResponseMessage foreign = await SendAsync(
            client, "GET", "/health/live", ("Host", "x.example"), ("Origin", "http://y.example"));

        Assert.Equal(HttpStatusCode.OK, named.StatusCode);
        Assert.Equal(HttpStatusCode.Forbidden, foreign.StatusCode);
    }

    [Theory]
    [InlineData("http://evil.example", null, 403)]
    [InlineData("null", null, 403)]
    [InlineData("http://127.0.0.1", "cross-site", 403)]
    [InlineData("http://localhost:3000", "same-site", 403)]
    [InlineData("http://localhost", null, 200)]
    [InlineData("https://shop.example", null, 200)]
    [InlineData("https://behind.a.proxy.example", "same-origin", 200)]
    public async Task A_page_of_another_site_may_not_even_look(string origin, string? site, int status)
    {
        await using var open = new ApiFactory(("AllowedHosts", "shop.example"));
        using HttpClient client = open.CreateClient();
        using HttpResponseMessage response = await SendAsync(
            client, "GET", "/health/live", ("Host", "localhost"), ("Origin", origin), ("Sec-Fetch-Site", site ?? "none"));

        Assert.Equal(status, (int)response.StatusCode);
        if (status == 403)
        {
            await KeyedService.ProblemAsync(response, 403, "forbidden");
        }
    }

    private static async Task<HttpResponseMessage> SendAsync(
        HttpClient client, string method, string path, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        foreach ((string name, string value) in headers)
        {
            Assert.True(request.Headers.TryAddWithoutValidation(name, value));
        }

        return await client.SendAsync(request, Cancellation);
    }
}
