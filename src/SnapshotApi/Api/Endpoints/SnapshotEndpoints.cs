using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using SnapshotApi.Api.Access;
using SnapshotApi.Api.Mapping;
using SnapshotApi.Api.Validation;
using SnapshotApi.Contracts;
using SnapshotApi.Jobs;
using SnapshotApi.Persistence;
using SnapshotApi.Snapshots;

namespace SnapshotApi.Api.Endpoints;

/// <summary>/servers/{server}/snapshots: take snapshots of a server.</summary>
internal static class SnapshotEndpoints
{
    private static readonly QueryParameter[] Filters =
    [
        new("status", typeof(JobStatus), "Only jobs with one of these statuses; repeated, or separated by commas.")
        {
            IsList = true,
        },
        QueryParameter.Cursor,
        QueryParameter.Limit,
    ];

    public static void MapSnapshots(this IEndpointRouteBuilder routes)
    {
        RouteGroupBuilder snapshots = routes.MapGroup("/servers/{server}/snapshots")
            .WithTags(ApiTags.Snapshots).AddEndpointFilter<StrictRequestFilter>();
        snapshots.MapPost("", CreateAsync).WithName("createSnapshot")
            .Needs(AccessRole.Operator).RequireRateLimiting(AccessPolicies.SnapshotRate)
            .Accepts<SnapshotBody>("application/json")
            .WithMetadata(ErrorCodes.Of(
                SnapshotErrorCode.InvalidRequest, SnapshotErrorCode.ServerNotFound, SnapshotErrorCode.ServerAmbiguous,
                SnapshotErrorCode.ServerBusy, SnapshotErrorCode.StateConflict, SnapshotErrorCode.UnsupportedDisk,
                SnapshotErrorCode.UnsupportedRequest, SnapshotErrorCode.IdempotencyMismatch,
                SnapshotErrorCode.HypervisorUnavailable, SnapshotErrorCode.DatabaseUnavailable)
                .And("not_acceptable", "payload_too_large", "unsupported_media_type", "rate_limited"));
        snapshots.MapGet("", ListAsync).WithName("listSnapshots")
            .WithMetadata([.. Filters, ErrorCodes.Of(
                SnapshotErrorCode.InvalidRequest, SnapshotErrorCode.ServerNotFound, SnapshotErrorCode.ServerAmbiguous,
                SnapshotErrorCode.DatabaseUnavailable).And("not_acceptable")]);
    }

    /// <summary>Takes a snapshot of a server</summary>
    /// <remarks>
    /// Accepts a job that turns the server's disks, as they are at one instant, into standalone images. Poll the job at
    /// the address in `Location`. A server has at most one job at a time.
    /// </remarks>
    /// <param name="server">UUID or unique name of the server.</param>
    /// <param name="idempotencyKey">
    /// 1 to 255 visible ASCII characters of the client's choice. The same key with the same request answers the same
    /// job, so that a request whose answer was lost can be repeated.
    /// </param>
    /// <response code="202">The job was accepted, or the key is that of this job. Location is its address.</response>
    public static async Task<Accepted<Job>> CreateAsync(
        string server,
        [FromHeader(Name = IdempotencyKeyReader.Header)] string? idempotencyKey,
        HttpContext context,
        JobSubmitter submitter,
        CancellationToken cancellationToken)
    {
        string target = NotFound.ServerText(server);
        ReadOnlyMemory<byte> body =
            await BodyReader.ReadAsync(context.Request, cancellationToken).ConfigureAwait(false);
        SnapshotRequest request = SnapshotRequestReader.Read(body);
        IdempotencyKey? key = IdempotencyKeyReader.Read(idempotencyKey, body);

        JobRecord job = await submitter.SubmitAsync(target, request, key, prepare: null, cancellationToken)
            .ConfigureAwait(false);
        JobEndpoints.SetHeaders(context.Response, job);
        var links = Links.Of(context);
        return TypedResults.Accepted(links.Job(job.Id), job.ToContract(links));
    }

    /// <summary>Lists a server's snapshot jobs</summary>
    /// <remarks>Newest first. By UUID also those of a server that is gone.</remarks>
    /// <param name="server">UUID or unique name of the server.</param>
    /// <response code="200">A page of jobs. The header Link names the next one.</response>
    public static async Task<Ok<Page<Job>>> ListAsync(
        string server, HttpContext context, JobTable jobs, ServerLookup servers, CancellationToken cancellationToken)
    {
        var query = new QueryFields(context);
        IReadOnlyList<JobStatus> statuses = query.Choices<JobStatus>("status");
        JobCursor? before = query.Cursor(Cursors.DecodeJob);
        int limit = query.Limit();
        query.ThrowIfWrong();

        Guid? serverId = await servers.FindIdAsync(server, cancellationToken).ConfigureAwait(false);
        var filter = new JobFilter(serverId, Node: null, statuses, before, limit);
        return await JobEndpoints.AnswerPageAsync(context, jobs, filter, cancellationToken).ConfigureAwait(false);
    }
}
