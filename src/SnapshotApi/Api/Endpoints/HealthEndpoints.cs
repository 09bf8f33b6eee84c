using Microsoft.AspNetCore.Http.HttpResults;
using SnapshotApi.Api.Health;
using SnapshotApi.Contracts;

namespace SnapshotApi.Api.Endpoints;

/// <summary>/health: for monitoring.</summary>
internal static class HealthEndpoints
{
    public static void MapHealth(this IEndpointRouteBuilder routes)
    {
        RouteGroupBuilder health = routes.MapGroup("/health").WithTags(ApiTags.Health);
        health.MapGet("live", GetLiveness).WithName("getLiveness").AllowAnonymous();
        health.MapGet("ready", GetReadinessAsync).WithName("getReadiness")
            .Produces<Readiness>(StatusCodes.Status200OK)
            .Produces<Readiness>(StatusCodes.Status503ServiceUnavailable);
    }

    /// <summary>Tells that the process runs</summary>
    /// <remarks>Restart the process when this does not answer. It looks at nothing outside of the process.</remarks>
    /// <response code="200">It runs.</response>
    public static Ok<Liveness> GetLiveness() =>
        TypedResults.Ok(new Liveness("live", Configuration.ServiceVersion.Text));

    /// <summary>Tells whether the process can do its work</summary>
    /// <remarks>
    /// Names each part that the role needs, and what is wrong with it: database, hypervisor, stores, node queue, and
    /// what concerns single servers: what is still to be undone on them (journal), those that do not answer (servers),
    /// and captures that are being checked, are disabled or could not be checked (captures).
    /// </remarks>
    /// <response code="200">
    /// All parts work, or (<c>degraded</c>) all but some servers or captures, which the body names.
    /// </response>
    /// <response code="503">At least one part does not; the body says which.</response>
    public static async Task<JsonHttpResult<Readiness>> GetReadinessAsync(
        HttpContext context, ReadinessProbe probe, CancellationToken cancellationToken)
    {
        Readiness readiness = await probe.LookAsync(cancellationToken).ConfigureAwait(false);
        bool isReady = readiness.Status != "not_ready";
        context.Response.Headers.CacheControl = "no-store";
        return TypedResults.Json(
            readiness,
            ApiJson.Options,
            statusCode: isReady ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable);
    }
}
