using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http.Headers;
using Microsoft.Extensions.Options;
using SnapshotApi.Configuration;

namespace SnapshotApi.Api.Nova;

/// <summary>What clients ask first, some of them before they have a token: which versions are spoken here.</summary>
internal static class NovaDiscovery
{
    /// <summary>Adds the addresses.</summary>
    public static void MapNovaDiscovery(this IEndpointRouteBuilder routes)
    {
        routes.MapGet("/", GetRoot).AllowAnonymous().ExcludeFromDescription();
        routes.MapGet(NovaRequest.Prefix, GetVersion).AllowAnonymous().ExcludeFromDescription();
    }

    /// <summary>The address of this service, as clients reach it.</summary>
    public static string AddressOf(HttpContext context) =>
        context.RequestServices.GetRequiredService<IOptions<NovaOptions>>().Value.PublicUrl is { Length: > 0 } configured
            ? configured.TrimEnd('/')
            : $"{context.Request.Scheme}://{context.Request.Host}{context.Request.PathBase}";

    /// <summary>A client gets the versions, a browser the pages for people.</summary>
    public static IResult GetRoot(HttpContext context) =>
        new RequestHeaders(context.Request.Headers).Accept.Any(a => a.MediaType == "text/html")
            ? TypedResults.Redirect("/swagger")
            : TypedResults.Json(new JsonObject { ["versions"] = new JsonArray(Version(context)) });

    /// <summary>The one version.</summary>
    public static IResult GetVersion(HttpContext context) => TypedResults.Json(new JsonObject { ["version"] = Version(context) });

    private static JsonObject Version(HttpContext context) => new()
    {
        ["id"] = "v2.1",
        ["status"] = "CURRENT",
        ["version"] = NovaVersion.Newest.ToString(),
        ["min_version"] = NovaVersion.Oldest.ToString(),
        ["updated"] = "2013-07-23T11:33:21Z",
        ["links"] = new JsonArray(new JsonObject { ["rel"] = "self", ["href"] = $"{AddressOf(context)}{NovaRequest.Prefix}/" }),
    };
}
