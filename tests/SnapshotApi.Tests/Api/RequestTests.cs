using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;

namespace SnapshotApi.Tests.Api;

/// <summary>What the service answers before it needs its database, and what it says when that is away.</summary>
public sealed class RequestTests(ApiFixture service) : IClassFixture<ApiFixture>
{
    private readonly HttpClient _client = service.Client;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("GET", "/nothing", 404, "not_found")]
    [InlineData("GET", "/jobs/not-a-uuid", 404, "job_not_found")]
    [InlineData("DELETE", "/jobs/not-a-uuid", 404, "job_not_found")]
    [InlineData("GET", "/jobs/not-a-uuid/events", 404, "job_not_found")]
    [InlineData("GET", "/images/not-a-uuid", 404, "image_not_found")]
    [InlineData("GET", "/images/not-a-uuid/file", 404, "image_not_found")]
    [InlineData("DELETE", "/images/not-a-uuid", 404, "image_not_found")]
    [InlineData("GET", "/servers/a%01b", 404, "server_not_found")]
    [InlineData("PUT", "/jobs", 405, "method_not_allowed")]
    [InlineData("POST", "/images", 405, "method_not_allowed")]
    public async Task What_is_not_there_is_a_problem_document(string method, string path, int status, string code)
    {
        using HttpResponseMessage response = await _client.SendAsync(
            new HttpRequestMessage(new HttpMethod(method), path), Cancellation);

        JsonElement problem = await ProblemAsync(response, status, code);
        Assert.Equal(path, problem.GetProperty("instance").GetString());
    }

    [Fact]
    public async Task A_method_that_is_not_offered_names_those_that_are()
    {
        using HttpResponseMessage response = await _client.PutAsync("/servers/x/snapshots", null, Cancellation);

        Assert.Equal(["GET", "POST"], response.Content.Headers.Allow.Order());
    }

    [Fact]
    public async Task All_wrong_members_of_a_body_are_in_one_document()
    {
        using HttpResponseMessage response = await PostAsync("""{"mode":"warm","colour":1}""");

        JsonElement problem = await ProblemAsync(response, 400, "invalid_request");
        Assert.Equal(["colour", "mode", "name"], problem.GetProperty("errors").EnumerateObject().Select(e => e.Name));
        Assert.Equal("3 fields are wrong: colour, mode, name", problem.GetProperty("detail").GetString());
    }

    [Fact]
    public async Task An_empty_body_is_refused()
    {
        using HttpResponseMessage response = await PostAsync(string.Empty);

        await ProblemAsync(response, 400, "invalid_request");
    }

    [Fact]
    public async Task A_body_of_64_KiB_is_read_and_one_byte_more_is_not()
    {
        const string start = """{"name":"n","x":1""";
        string largest = start + new string(' ', 65536 - start.Length - 1) + "}";

        using HttpResponseMessage read = await PostAsync(largest);
        using HttpResponseMessage refused = await PostAsync(largest + " ");
        using HttpResponseMessage chunked = await PostAsync(largest + " ", isChunked: true);

        await ProblemAsync(read, 400, "invalid_request");
        await ProblemAsync(refused, 413, "payload_too_large");
        await ProblemAsync(chunked, 413, "payload_too_large");
    }

    [Theory]
    [InlineData("text/plain")]
    [InlineData("application/xml")]
    [InlineData("application/json; charset=utf-16")]
    [InlineData(null)]
    public async Task A_body_that_is_not_said_to_be_JSON_is_refused(string? contentType)
    {
        using HttpResponseMessage response = await PostAsync("""{"name":"n"}""", contentType);

        await ProblemAsync(response, 415, "unsupported_media_type");
    }

    [Theory]
    [InlineData("with blank")]
    [InlineData("ümlaut")]
    public async Task A_bad_idempotency_key_is_refused(string key)
    {
        using HttpResponseMessage response = await PostAsync("""{"name":"n"}""", idempotencyKey: key);

        JsonElement problem = await ProblemAsync(response, 400, "invalid_request");
        Assert.True(problem.GetProperty("errors").TryGetProperty("Idempotency-Key", out _));
    }

    [Fact]
    public async Task All_wrong_query_parameters_are_in_one_document()
    {
        using HttpResponseMessage response =
            await _client.GetAsync("/jobs?limit=0&status=done,queued&cursor=!&colour=red&node=a&node=b", Cancellation);

        JsonElement problem = await ProblemAsync(response, 400, "invalid_request");
        Assert.Equal(
            ["colour", "cursor", "limit", "node", "status"],
            problem.GetProperty("errors").EnumerateObject().Select(e => e.Name));
        Assert.Equal(
            "must be a whole number from 1 to 200", problem.GetProperty("errors").GetProperty("limit")[0].GetString());
    }

    [Theory]
    [InlineData("/jobs/0198f6c2-5a01-7c44-b1de-7d0c5a9e1f02?wait=61")]
    [InlineData("/jobs/0198f6c2-5a01-7c44-b1de-7d0c5a9e1f02?wait=soon")]
    [InlineData("/jobs/0198f6c2-5a01-7c44-b1de-7d0c5a9e1f02?wait=-1")]
    [InlineData("/images?job=7")]
    [InlineData("/servers?limit=201")]
    [InlineData("/servers/x?verbose=1")]
    [InlineData("/nodes?limit=1")]
    [InlineData("/servers/x/snapshots?state=queued")]
    public async Task A_wrong_query_is_refused(string path)
    {
        using HttpResponseMessage response = await _client.GetAsync(path, Cancellation);

        await ProblemAsync(response, 400, "invalid_request");
    }

    [Theory]
    [InlineData("text/html", 406)]
    [InlineData("text/event-stream", 406)]
    [InlineData("application/json;q=0", 406)]
    [InlineData("application/json", 503)]
    [InlineData("application/*;q=0.5", 503)]
    [InlineData("text/html, */*;q=0.1", 503)]
    public async Task A_client_that_takes_no_JSON_is_told(string accept, int status)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/jobs/0198f6c2-5a01-7c44-b1de-7d0c5a9e1f02/events");
        request.Headers.Add("Accept", accept);

        using HttpResponseMessage response = await _client.SendAsync(request, Cancellation);

        await ProblemAsync(response, status, status == 406 ? "not_acceptable" : "database_unavailable");
    }

    [Theory]
    [InlineData("/jobs")]
    [InlineData("/servers")]
    [InlineData("/nodes")]
    [InlineData("/images")]
    [InlineData("/servers/x")]
    [InlineData("/images/0198f6c2-5a01-7c44-b1de-7d0c5a9e1f02/file")]
    public async Task A_database_that_is_away_is_503_with_retry_after(string path)
    {
        using HttpResponseMessage response = await _client.GetAsync(path, Cancellation);

        await ProblemAsync(response, 503, "database_unavailable");
        Assert.NotNull(response.Headers.RetryAfter?.Delta);
    }

    [Fact]
    public async Task A_snapshot_without_a_database_is_503_with_retry_after()
    {
        using HttpResponseMessage response = await PostAsync("""{"name":"n"}""", idempotencyKey: "k1");

        await ProblemAsync(response, 503, "database_unavailable");
        Assert.NotNull(response.Headers.RetryAfter?.Delta);
    }

    [Fact]
    public async Task Liveness_needs_nothing_and_readiness_says_what_is_wrong()
    {
        using HttpResponseMessage live = await _client.GetAsync("/health/live", Cancellation);
        using HttpResponseMessage ready = await _client.GetAsync("/health/ready", Cancellation);

        Assert.Equal(HttpStatusCode.OK, live.StatusCode);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, ready.StatusCode);
        string body = await ready.Content.ReadAsStringAsync(Cancellation);
        JsonElement part = Assert.Single(JsonElement.Parse(body).GetProperty("parts").EnumerateArray());
        Assert.Equal("database", part.GetProperty("name").GetString());
        Assert.False(part.GetProperty("isReady").GetBoolean());
        Assert.DoesNotContain("secret-directory", body, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/snapshots")]
    [InlineData("/a/b/")]
    public async Task The_path_that_a_reverse_proxy_names_begins_every_address(string prefix)
    {
        async Task<HttpResponseMessage> GetAsync(string path)
        {
            var request = new HttpRequestMessage(HttpMethod.Get, path) { Headers = { { "X-Forwarded-Prefix", prefix } } };
            return await _client.SendAsync(request, Cancellation);
        }

        using HttpResponseMessage missing = await GetAsync("/jobs/not-a-uuid");
        using HttpResponseMessage root = await GetAsync("/");
        using HttpResponseMessage description = await GetAsync("/swagger/v1/swagger.json");

        string path = prefix.TrimEnd('/');
        JsonElement problem = await ProblemAsync(missing, 404, "job_not_found");
        Assert.Equal($"{path}/jobs/not-a-uuid", problem.GetProperty("instance").GetString());
        Assert.Equal($"{path}/swagger", root.Headers.Location?.OriginalString);
        JsonElement document = JsonElement.Parse(await description.Content.ReadAsStringAsync(Cancellation));
        Assert.Equal(prefix, document.GetProperty("servers")[0].GetProperty("url").GetString());
    }

    [Fact]
    public async Task People_are_led_to_the_description()
    {
        using HttpResponseMessage root = await _client.GetAsync("/", Cancellation);
        using HttpResponseMessage page = await _client.GetAsync("/swagger/index.html", Cancellation);

        Assert.Equal("/swagger", root.Headers.Location?.OriginalString);
        Assert.Equal(HttpStatusCode.OK, page.StatusCode);
        Assert.Contains("SnapshotApi", await page.Content.ReadAsStringAsync(Cancellation), StringComparison.Ordinal);
    }

    private static async Task<JsonElement> ProblemAsync(HttpResponseMessage response, int status, string code)
    {
        string body = await response.Content.ReadAsStringAsync(Cancellation);
        Assert.True((int)response.StatusCode == status, $"{(int)response.StatusCode}: {body}");
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
        JsonElement problem = JsonElement.Parse(body);
        Assert.Equal(code, problem.GetProperty("code").GetString());
        Assert.Equal($"urn:snapshotapi:problem:{code}", problem.GetProperty("type").GetString());
        Assert.Equal(status, problem.GetProperty("status").GetInt32());
        Assert.All(
            ["title", "detail", "instance", "traceId"],
            m => Assert.NotEqual(string.Empty, problem.GetProperty(m).GetString()));
        Assert.DoesNotContain("Exception", body, StringComparison.Ordinal);
        return problem;
    }

    private async Task<HttpResponseMessage> PostAsync(
        string body, string? contentType = "application/json", string? idempotencyKey = null, bool isChunked = false)
    {
        var content = new ByteArrayContent(Encoding.UTF8.GetBytes(body));
        content.Headers.ContentType = contentType is null ? null : MediaTypeHeaderValue.Parse(contentType);
        using var request = new HttpRequestMessage(HttpMethod.Post, "/servers/fed18/snapshots") { Content = content };
        request.Headers.TransferEncodingChunked = isChunked ? true : null;
        if (idempotencyKey is not null)
        {
            request.Headers.TryAddWithoutValidation("Idempotency-Key", idempotencyKey);
        }

        return await _client.SendAsync(request, Cancellation);
    }
}
