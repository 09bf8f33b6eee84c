using System.Net;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Mvc.Testing;

namespace SnapshotApi.Tests.Api.Nova;

/// <summary>The door of the face. Behind it there is no database: who comes in meets 503.</summary>
public sealed class NovaFaceTests : IAsyncLifetime
{
    private const string Server = "/v2.1/servers/0198f6c2-5a01-7c44-b1de-7d0c5a9e1f02";

    private FakeKeystone _keystone = null!;
    private ApiFactory _factory = null!;
    private HttpClient _client = null!;

    public async ValueTask InitializeAsync()
    {
        _keystone = await FakeKeystone.StartAsync();
        _keystone.Known["member"] = ["member"];
        _keystone.Known["reader"] = ["reader"];
        _keystone.Known["stranger"] = ["accountant"];
        _factory = new ApiFactory(
            ("Nova:Keystone:Url", _keystone.Url),
            ("Nova:Keystone:Username", "s"),
            ("Nova:Keystone:Password", "secret"),
            ("Nova:Keystone:Project", "service"),
            ("Nova:PublicKeystoneUrl", "https://keystone.example"),
            ("Stores:Glance:Endpoint", "http://127.0.0.1:1"),
            ("Auth:AllowAnonymousNetwork", "false"));
        _client = _factory.CreateClient(new WebApplicationFactoryClientOptions { AllowAutoRedirect = false });
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _factory.DisposeAsync();
        await _keystone.DisposeAsync();
    }

    [Theory]
    [InlineData("GET", "/v2.1/servers")]
    [InlineData("GET", "/v2.1/servers/detail")]
    [InlineData("GET", Server)]
    [InlineData("POST", Server + "/action")]
    [InlineData("GET", "/v2.1/flavors/detail")]
    [InlineData("GET", "/v2.1/0123456789abcdef0123456789abcdef/servers")]
    [InlineData("PUT", "/v2.1/servers")]
    [InlineData("GET", "/v2.1/nothing")]
    public async Task Without_a_token_or_with_a_bad_one_there_is_nothing(string method, string path)
    {
        foreach (string? token in new[] { null, "bad" })
        {
            using HttpResponseMessage response = await SendAsync(method, path, token);

            Assert.Equal("Keystone uri=\"https://keystone.example/v3\"", response.Headers.WwwAuthenticate.ToString());
            await AssertFaultAsync(response, 401, "unauthorized", "The request you have made requires authentication.");
        }
    }

    [Theory]
    [InlineData("/", "versions")]
    [InlineData("/v2.1", "version")]
    [InlineData("/v2.1/", "version")]
    public async Task Versions_are_told_to_anybody_without_asking_Keystone(string path, string member)
    {
        foreach (string? token in new[] { null, "bad" })
        {
            using HttpResponseMessage response = await SendAsync("GET", path, token);

            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
            JsonElement document = (await JsonAsync(response)).GetProperty(member);
            JsonElement version =
                document.ValueKind == JsonValueKind.Array ? Assert.Single(document.EnumerateArray()) : document;
            Assert.Equal("2.45", version.GetProperty("version").GetString());
            Assert.Equal("2.1", version.GetProperty("min_version").GetString());
            Assert.Equal("http://localhost/v2.1/", version.GetProperty("links")[0].GetProperty("href").GetString());
        }

        Assert.Equal(0, _keystone.Asked);
    }

    [Fact]
    public async Task A_browser_finds_the_pages_for_people()
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/");
        request.Headers.Accept.ParseAdd("text/html,application/xhtml+xml;q=0.9,*/*;q=0.8");
        using HttpResponseMessage response = await _client.SendAsync(request, TestContext.Current.CancellationToken);

        Assert.Equal("/swagger", response.Headers.Location?.OriginalString);
    }

    [Fact]
    public async Task A_reader_takes_no_images_and_a_stranger_sees_nothing()
    {
        using HttpResponseMessage image = await SendAsync(
            "POST", Server + "/action", "reader", """{"createImage": {"name": "n"}}""");
        await AssertFaultAsync(image, 403, "forbidden", "this needs the role operator");
        using HttpResponseMessage list = await SendAsync("GET", "/v2.1/servers", "stranger");
        await AssertFaultAsync(list, 403, "forbidden", "this needs the role reader");
    }

    [Fact]
    public async Task While_Keystone_is_away_nobody_comes_in()
    {
        _keystone.Status = 503;
        using HttpResponseMessage response = await SendAsync("GET", "/v2.1/servers", "member");

        await AssertFaultAsync(response, 503, "serviceUnavailable", "Keystone does not validate tokens: 503 as told");
        Assert.Equal(TimeSpan.FromSeconds(5), response.Headers.RetryAfter?.Delta);
    }

    [Theory]
    [InlineData(
        "2.46", 406, "computeFault", "Version 2.46 is not supported by the API. Minimum is 2.1 and maximum is 2.45.")]
    [InlineData("two", 400, "badRequest", "The microversion asked for is not of the form MAJOR.MINOR.")]
    public async Task A_version_that_is_not_spoken_is_refused(string version, int status, string name, string message)
    {
        using HttpResponseMessage response = await SendAsync("GET", "/v2.1/servers", "member", body: null, version);

        await AssertFaultAsync(response, status, name, message);
    }

    [Fact]
    public async Task The_version_is_echoed_and_an_empty_Accept_is_no_reason_to_refuse()
    {
        using HttpResponseMessage response = await SendAsync(
            "GET", "/v2.1/0123456789abcdef0123456789abcdef/servers?all_tenants=1", "member", body: null, "2.45");

        await AssertFaultAsync(
            response,
            403,
            "forbidden",
            "Policy doesn't allow os_compute_api:servers:index:get_all_tenants to be performed.");
    }

    [Theory]
    [InlineData("GET", "/v2.1/flavors/1", 404, "itemNotFound")]
    [InlineData("GET", "/v2.1/servers/fed18", 404, "itemNotFound")]
    [InlineData("DELETE", "/v2.1/servers", 405, "badMethod")]
    [InlineData("GET", "/v2.1/servers?limit=x", 400, "badRequest")]
    [InlineData("GET", "/v2.1/servers", 503, "serviceUnavailable")]
    [InlineData("GET", Server, 503, "serviceUnavailable")]
    public async Task Whatever_is_refused_is_so_in_Novas_words(string method, string path, int status, string name)
    {
        using HttpResponseMessage response = await SendAsync(method, path, "member");

        await AssertFaultAsync(response, status, name, message: null);
    }

    [Fact]
    public async Task Our_own_API_takes_no_tokens_of_Keystones_and_speaks_its_own_words()
    {
        using HttpResponseMessage response = await SendAsync("GET", "/jobs/x", "bad");

        Assert.Equal("unauthorized", (await JsonAsync(response)).GetProperty("code").GetString());
    }

    [Fact]
    public async Task Without_a_Keystone_there_is_no_face()
    {
        await using var plain = new ApiFactory();
        using HttpClient client = plain.CreateClient(
            new WebApplicationFactoryClientOptions { AllowAutoRedirect = false });
        foreach (string path in new[] { "/v2.1", "/v2.1/servers", Server })
        {
            using HttpResponseMessage response = await client.GetAsync(path, TestContext.Current.CancellationToken);
            Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
        }
    }

    private static async Task AssertFaultAsync(HttpResponseMessage response, int status, string name, string? message)
    {
        Assert.Equal(status, (int)response.StatusCode);
        JsonProperty fault = Assert.Single((await JsonAsync(response)).EnumerateObject());
        Assert.Equal(name, fault.Name);
        Assert.Equal(status, fault.Value.GetProperty("code").GetInt32());
        if (message is not null)
        {
            Assert.Equal(message, fault.Value.GetProperty("message").GetString());
        }
    }

    private static async Task<JsonElement> JsonAsync(HttpResponseMessage response) =>
        JsonDocument.Parse(await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)).RootElement;

    private async Task<HttpResponseMessage> SendAsync(
        string method, string path, string? token, string? body = null, string? version = null)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        request.Headers.TryAddWithoutValidation("Accept", string.Empty);
        if (token is not null)
        {
            request.Headers.Add("X-Auth-Token", token);
        }

        if (version is not null)
        {
            request.Headers.Add("X-OpenStack-Nova-API-Version", version);
        }

        if (body is not null)
        {
            request.Content = new StringContent(body, Encoding.UTF8, "application/json");
        }

        return await _client.SendAsync(request, TestContext.Current.CancellationToken);
    }
}
