using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace SnapshotApi.Tests.Cli;

/// <summary>A service on a loopback port that answers what the test says and remembers what it was asked.</summary>
internal sealed class FakeService : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ConcurrentDictionary<string, Func<HttpContext, Task>> _answers = new(StringComparer.Ordinal);

    private FakeService(WebApplication app) => _app = app;

    /// <summary>Requests in the order of their coming.</summary>
    public ConcurrentQueue<Asked> Requests { get; } = new();

    public string Url => _app.Urls.Single();

    public static async Task<FakeService> StartAsync()
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var service = new FakeService(builder.Build());
        service._app.Run(service.AnswerAsync);
        await service._app.StartAsync(TestContext.Current.CancellationToken);
        return service;
    }

    /// <summary>Answers a method and path (without query) with JSON.</summary>
    public FakeService On(string methodAndPath, string json, int status = 200, string? etag = null) => On(methodAndPath, context =>
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = status >= 400 ? "application/problem+json" : "application/json";
        if (etag is not null)
        {
            context.Response.Headers.ETag = etag;
        }

        return context.Response.WriteAsync(json);
    });

    /// <summary>Answers a method and path (without query).</summary>
    public FakeService On(string methodAndPath, Func<HttpContext, Task> answer)
    {
        _answers[methodAndPath] = answer;
        return this;
    }

    /// <summary>Answers one after the other, the last one for ever.</summary>
    public FakeService OnEach(string methodAndPath, params Func<HttpContext, Task>[] answers)
    {
        int next = 0;
        return On(methodAndPath, context => answers[Math.Min(Interlocked.Increment(ref next), answers.Length) - 1](context));
    }

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync(CancellationToken.None);
        await _app.DisposeAsync();
    }

    private async Task AnswerAsync(HttpContext context)
    {
        using var reader = new StreamReader(context.Request.Body);
        string body = await reader.ReadToEndAsync(context.RequestAborted);
        string path = context.Request.Path.Value!;
        Requests.Enqueue(new Asked(
            $"{context.Request.Method} {path}",
            context.Request.QueryString.Value ?? "",
            context.Request.Headers.ToDictionary(h => h.Key, h => h.Value.ToString(), StringComparer.OrdinalIgnoreCase),
            body));
        if (_answers.TryGetValue($"{context.Request.Method} {path}", out Func<HttpContext, Task>? answer))
        {
            await answer(context);
            return;
        }

        context.Response.StatusCode = 404;
        context.Response.ContentType = "application/problem+json";
        await context.Response.WriteAsync(
            """{"type":"urn:snapshotapi:problem:not_found","title":"There is nothing at this address.","status":404,"code":"not_found"}""");
    }
}

/// <summary>One request that the service was asked.</summary>
internal sealed record Asked(string Call, string Query, IReadOnlyDictionary<string, string> Headers, string Body)
{
    public string? Header(string name) => Headers.GetValueOrDefault(name);
}
