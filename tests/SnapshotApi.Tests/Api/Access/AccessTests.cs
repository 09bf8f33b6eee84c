using System.Net;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using SnapshotApi.Api.Access;
using SnapshotApi.Configuration;

namespace SnapshotApi.Tests.Api.Access;

/// <summary>Authentication and roles. Without a database an authorized caller meets 503, or 404 for a bad id.</summary>
public sealed class AccessTests(KeyedService service) : IClassFixture<KeyedService>
{
    private const string Id = "0198f6c2-5a01-7c44-b1de-7d0c5a9e1f02";

    [Theory]
    [InlineData("GET", "/jobs")]
    [InlineData("GET", $"/jobs/{Id}")]
    [InlineData("GET", "/servers")]
    [InlineData("GET", "/nodes")]
    [InlineData("GET", "/images")]
    [InlineData("GET", $"/images/{Id}/file")]
    [InlineData("HEAD", $"/images/{Id}/file")]
    [InlineData("GET", "/health/ready")]
    [InlineData("GET", "/metrics")]
    [InlineData("GET", "/nothing")]
    [InlineData("PUT", "/jobs")]
    [InlineData("POST", "/servers/x/snapshots")]
    [InlineData("PATCH", $"/jobs/{Id}")]
    [InlineData("DELETE", $"/jobs/{Id}")]
    [InlineData("DELETE", $"/images/{Id}")]
    public async Task Without_a_key_there_is_nothing(string method, string path)
    {
        using HttpResponseMessage response = await service.SendAsync(method, path);

        Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
        Assert.Equal("Bearer realm=\"SnapshotApi\"", response.Headers.WwwAuthenticate.ToString());
        if (method != "HEAD")
        {
            JsonElement problem = await KeyedService.ProblemAsync(response, 401, "unauthorized");
            Assert.Contains("X-Api-Key", problem.GetProperty("detail").GetString(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Liveness_needs_no_key()
    {
        using HttpResponseMessage response = await service.SendAsync("GET", "/health/live");

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
    }

    [Theory]
    [InlineData("Authorization", "Bearer {0}")]
    [InlineData("Authorization", "bearer   {0}")]
    [InlineData("X-Api-Key", "{0}")]
    public async Task A_key_is_sent_in_either_header(string header, string value)
    {
        string text = value.Replace("{0}", KeyedService.KeyOf("reader"), StringComparison.Ordinal);

        using HttpResponseMessage response = await service.SendAsync("GET", "/nodes", (header, text));

        await KeyedService.ProblemAsync(response, 503, "database_unavailable");
    }

    [Theory]
    [InlineData("Authorization", "Bearer wrong")]
    [InlineData("Authorization", "Bearer sapi_key-of-a-test-with-the-role-reade")]
    [InlineData("Authorization", "Bearer sapi_key-of-a-test-with-the-role-readerr")]
    [InlineData("Authorization", "Bearer eyJhbGciOiJub25lIn0.e30.")]
    [InlineData("X-Api-Key", "wrong")]
    public async Task A_wrong_key_is_said_to_be_wrong_and_not_repeated(string header, string value)
    {
        using HttpResponseMessage response = await service.SendAsync("GET", "/nodes", (header, value));

        JsonElement problem = await KeyedService.ProblemAsync(response, 401, "unauthorized");
        Assert.Contains(
            "error=\"invalid_token\"", response.Headers.WwwAuthenticate.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain(value.Split(' ')[^1], problem.GetRawText(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Basic cjpzYXBpX2tleS1vZi1hLXRlc3Qtd2l0aC10aGUtcm9sZS1yZWFkZXI=")]
    [InlineData("Digest username=\"x\"")]
    [InlineData("Bearer")]
    [InlineData("Bearer ")]
    [InlineData("sapi_key-of-a-test-with-the-role-reader")]
    public async Task Other_ways_to_say_who_asks_are_no_ways(string authorization)
    {
        using HttpResponseMessage response = await service.SendAsync("GET", "/nodes", ("Authorization", authorization));

        await KeyedService.ProblemAsync(response, 401, "unauthorized");
    }

    [Theory]
    [InlineData("reader", "POST", "/servers/x/snapshots", "operator")]
    [InlineData("reader", "PATCH", $"/jobs/{Id}", "operator")]
    [InlineData("reader", "DELETE", $"/jobs/{Id}", "operator")]
    [InlineData("reader", "DELETE", $"/images/{Id}", "admin")]
    [InlineData("operator", "DELETE", $"/images/{Id}", "admin")]
    [InlineData("reader", "GET", "/hangfire", "admin")]
    [InlineData("operator", "GET", "/hangfire/jobs/enqueued", "admin")]
    public async Task A_role_that_is_too_low_is_told_which_is_needed(
        string role, string method, string path, string needed)
    {
        using HttpResponseMessage response = await service.SendAsAsync(KeyedService.KeyOf(role), method, path);

        JsonElement problem = await KeyedService.ProblemAsync(response, 403, "forbidden");
        Assert.Equal($"this needs the role {needed}", problem.GetProperty("detail").GetString());
        Assert.Contains(
            $"error=\"insufficient_scope\", scope=\"{needed}\"",
            response.Headers.WwwAuthenticate.ToString(),
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("operator", "POST", "/servers/x/snapshots", 503)]
    [InlineData("admin", "POST", "/servers/x/snapshots", 503)]
    [InlineData("operator", "DELETE", $"/jobs/{Id}", 503)]
    [InlineData("operator", "PATCH", $"/jobs/{Id}", 400)]
    [InlineData("operator", "GET", "/jobs", 503)]
    [InlineData("admin", "DELETE", $"/images/{Id}", 503)]
    [InlineData("reader", "GET", "/swagger/v1/swagger.json", 200)]
    [InlineData("reader", "GET", "/nothing", 404)]
    [InlineData("reader", "GET", "/health/ready", 503)]
    public async Task A_role_may_do_what_those_below_it_may(string role, string method, string path, int status)
    {
        using HttpResponseMessage response = await service.SendAsAsync(KeyedService.KeyOf(role), method, path);

        Assert.Equal(status, (int)response.StatusCode);
    }

    [Fact]
    public void What_changes_something_needs_more_than_a_reader()
    {
        RouteEndpoint[] changing = [.. service.Services.GetServices<EndpointDataSource>()
            .SelectMany(s => s.Endpoints).OfType<RouteEndpoint>()
            .Where(e => e.Metadata.GetMetadata<IEndpointNameMetadata>() is not null)
            .Where(e => e.Metadata.GetMetadata<IHttpMethodMetadata>()!.HttpMethods
                .Any(m => m is not ("GET" or "HEAD")))];

        Assert.True(changing.Length >= 4, $"only {changing.Length} were found");
        Assert.All(
            changing,
            e => Assert.True(AccessPolicies.RoleOf(e.Metadata) >= AccessRole.Operator, e.RoutePattern.RawText));
    }

    [Theory]
    [InlineData("/")]
    [InlineData("/swagger/index.html")]
    [InlineData("/hangfire")]
    public async Task A_browser_is_asked_for_the_key_as_a_password(string page)
    {
        using HttpResponseMessage response = await service.SendAsync("GET", page);

        Assert.Equal("Basic realm=\"SnapshotApi\", charset=\"UTF-8\"", response.Headers.WwwAuthenticate.ToString());
        await KeyedService.ProblemAsync(response, 401, "unauthorized");
    }

    [Fact]
    public async Task The_password_opens_pages_and_nothing_else()
    {
        (string, string) basic = (
            "Authorization",
            "Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes($"me:{KeyedService.KeyOf("admin")}")));

        using HttpResponseMessage page = await service.SendAsync("GET", "/swagger/index.html", basic);
        using HttpResponseMessage call = await service.SendAsync("GET", "/nodes", basic);
        using HttpResponseMessage change = await service.SendAsync("POST", "/servers/x/snapshots", basic);

        Assert.Equal(HttpStatusCode.OK, page.StatusCode);
        Assert.Equal("frame-ancestors 'none'", Assert.Single(page.Headers.GetValues("Content-Security-Policy")));
        await KeyedService.ProblemAsync(call, 401, "unauthorized");
        await KeyedService.ProblemAsync(change, 401, "unauthorized");
    }

    [Theory]
    [InlineData("Sec-Fetch-Site", "cross-site", false)]
    [InlineData("X-Nothing", "1", false)]
    [InlineData("Origin", "http://localhost", true)]
    [InlineData("Sec-Fetch-Site", "same-origin", true)]
    public async Task A_form_of_another_site_gets_nothing_out_of_the_password(string header, string value, bool isTaken)
    {
        (string, string) basic = (
            "Authorization",
            "Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes($"me:{KeyedService.KeyOf("reader")}")));

        using HttpResponseMessage response = await service.SendAsync(
            "POST", "/hangfire/jobs/enqueued/delete", basic, (header, value));

        await KeyedService.ProblemAsync(response, isTaken ? 403 : 401, isTaken ? "forbidden" : "unauthorized");
    }

    [Theory]
    [InlineData("Basic !!!")]
    [InlineData("Basic bm8tY29sb24=")]
    [InlineData("Basic bWU6")]
    [InlineData("Basic //79/Q==")]
    public async Task A_broken_password_is_none(string authorization)
    {
        using HttpResponseMessage response = await service.SendAsync(
            "GET", "/swagger/index.html", ("Authorization", authorization));

        await KeyedService.ProblemAsync(response, 401, "unauthorized");
    }

    [Fact]
    public async Task Answers_are_never_guessed_to_be_pages()
    {
        using HttpResponseMessage response = await service.SendAsync("GET", "/nodes");

        Assert.Equal("nosniff", Assert.Single(response.Headers.GetValues("X-Content-Type-Options")));
    }
}
