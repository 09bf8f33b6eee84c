using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.Logging;
using SnapshotApi.Api;

namespace SnapshotApi.Tests.Api;

/// <summary>What the framework answers without a body, and what handlers throw, is a problem document.</summary>
public sealed class ProblemExceptionHandlerTests : IAsyncLifetime
{
    private WebApplication _app = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseTestServer();
        builder.Logging.ClearProviders();
        builder.Services.AddProblems();
        _app = builder.Build();
        _app.UseProblems();
        _app.MapGet("/file", () => TypedResults.Stream(
            new MemoryStream([1, 2, 3]), "application/octet-stream", "image.raw", enableRangeProcessing: true));
        _app.MapGet("/defect", IResult () => throw new InvalidOperationException("/var/lib/secret"));
        _app.MapGet("/bare", () => TypedResults.StatusCode(StatusCodes.Status406NotAcceptable));
        await _app.StartAsync(Cancellation);
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    [Fact]
    public async Task A_range_that_can_not_be_satisfied_is_refused_without_the_headers_of_the_file()
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/file");
        request.Headers.Range = new RangeHeaderValue(7, 9);

        using HttpResponseMessage response = await _app.GetTestClient().SendAsync(request, Cancellation);

        await AssertProblemAsync(response, 416, "range_not_satisfiable");
        Assert.Equal("bytes */3", response.Content.Headers.ContentRange?.ToString());
        Assert.Null(response.Content.Headers.ContentDisposition);
    }

    [Theory]
    [InlineData("/defect", 500, "internal_error")]
    [InlineData("/bare", 406, "not_acceptable")]
    [InlineData("/nothing", 404, "not_found")]
    public async Task A_client_that_takes_no_JSON_gets_the_document_all_the_same(string path, int status, string code)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Accept.ParseAdd("text/html");

        using HttpResponseMessage response = await _app.GetTestClient().SendAsync(request, Cancellation);

        await AssertProblemAsync(response, status, code);
    }

    private static async Task AssertProblemAsync(HttpResponseMessage response, int status, string code)
    {
        string body = await response.Content.ReadAsStringAsync(Cancellation);
        Assert.Equal((HttpStatusCode)status, response.StatusCode);
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
        Assert.Equal(code, JsonElement.Parse(body).GetProperty("code").GetString());
        Assert.DoesNotContain("secret", body, StringComparison.Ordinal);
    }
}
