using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace SnapshotApi.Tests.Api.Nova;

/// <summary>
/// Two calls of Keystone's on a real socket: one issues the service's own tokens, one validates those of others. The
/// real Keystone has tests of its own.
/// </summary>
internal sealed class FakeKeystone : IAsyncDisposable
{
    private readonly WebApplication _app;
    private int _given;

    private FakeKeystone(WebApplication app) => _app = app;

    /// <summary>Tokens that are known, with the names of the roles that they have.</summary>
    public ConcurrentDictionary<string, string[]> Known { get; } = new();

    /// <summary>How often it was asked of a token.</summary>
    public int Asked { get; private set; }

    /// <summary>How often it gave us a token.</summary>
    public int Given => _given;

    /// <summary>Status of all answers about tokens; null: as they are known.</summary>
    public int? Status { get; set; }

    /// <summary>Our own token is refused once.</summary>
    public bool IsOwnRefused { get; set; }

    /// <summary>So many connections are cut in place of an answer about a token.</summary>
    public int Cuts { get; set; }

    /// <summary>When the tokens expire.</summary>
    public DateTimeOffset ExpiresAt { get; set; } = DateTimeOffset.UtcNow.AddHours(1);

    public string Url => _app.Urls.First();

    public static async Task<FakeKeystone> StartAsync()
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        WebApplication app = builder.Build();
        var keystone = new FakeKeystone(app);
        app.MapPost("/v3/auth/tokens", keystone.Give);
        app.MapGet("/v3/auth/tokens", keystone.Tell);
        await app.StartAsync();
        return keystone;
    }

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
    }

    private IResult Give(HttpContext context)
    {
        context.Response.Headers["X-Subject-Token"] = $"own{Interlocked.Increment(ref _given)}";
        return Results.Json(new { token = new { expires_at = DateTimeOffset.UtcNow.AddHours(1) } }, statusCode: 201);
    }

    private IResult Tell(HttpContext context)
    {
        if (IsOwnRefused)
        {
            IsOwnRefused = false;
            return Results.StatusCode(401);
        }

        if (Cuts > 0)
        {
            Cuts--;
            context.Abort();
            return Results.Empty;
        }

        Asked++;
        Assert.Equal($"own{_given}", context.Request.Headers["X-Auth-Token"]);
        Assert.Equal("?nocatalog", context.Request.QueryString.Value);
        string subject = context.Request.Headers["X-Subject-Token"].ToString();
        return Status is { } status ? Results.Json(new { error = new { message = "as told" } }, statusCode: status)
            : !Known.TryGetValue(subject, out string[]? roles) ? Results.StatusCode(404)
            : Results.Json(new
            {
                token = new
                {
                    expires_at = ExpiresAt,
                    user = new { id = "u1", name = "demo" },
                    project = new { id = "p1" },
                    roles = roles.Select(name => new { name }),
                },
            });
    }
}
