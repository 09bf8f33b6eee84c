using Microsoft.AspNetCore.Http.HttpResults;
using SnapshotApi.Api.Access;
using SnapshotApi.Api.Mapping;
using SnapshotApi.Api.Validation;
using SnapshotApi.Contracts;
using SnapshotApi.Jobs;
using SnapshotApi.Persistence;

namespace SnapshotApi.Api.Endpoints;

/// <summary>/jobs: look at jobs, wait for them, limit them, cancel them.</summary>
internal static class JobEndpoints
{
    // A client that polls without ?wait= learns of a change within a second.
    private const string PollSeconds = "1";

    private const string MergePatch = "application/merge-patch+json";

    private static readonly QueryParameter Wait =
        new("wait", typeof(int), "Wait up to this many seconds until the job changes, or is final.")
        {
            Minimum = 0,
            Maximum = 60,
        };

    private static readonly QueryParameter[] Filters =
    [
        new("server", typeof(string), "Only jobs of this server: its UUID or its unique name."),
        new("node", typeof(string), "Only jobs of this node."),
        new("status", typeof(JobStatus), "Only jobs with one of these statuses; repeated, or separated by commas.")
        {
            IsList = true,
        },
        QueryParameter.Cursor,
        QueryParameter.Limit,
    ];

    public static void MapJobs(this IEndpointRouteBuilder routes)
    {
        RouteGroupBuilder jobs = routes.MapGroup("/jobs")
            .WithTags(ApiTags.Jobs).AddEndpointFilter<StrictRequestFilter>();
        jobs.MapGet("", ListAsync).WithName("listJobs")
            .WithMetadata([.. Filters, ErrorCodes.Of(
                SnapshotErrorCode.InvalidRequest, SnapshotErrorCode.ServerNotFound, SnapshotErrorCode.ServerAmbiguous,
                SnapshotErrorCode.DatabaseUnavailable).And("not_acceptable")]);
        jobs.MapGet("{id}", GetAsync).WithName("getJob").Produces(StatusCodes.Status304NotModified)
            .WithMetadata(Wait, ErrorCodes.Of(
                SnapshotErrorCode.InvalidRequest, SnapshotErrorCode.JobNotFound, SnapshotErrorCode.DatabaseUnavailable)
                .And("not_acceptable"));
        jobs.MapGet("{id}/events", ListEventsAsync).WithName("listJobEvents")
            .WithMetadata(ErrorCodes.Of(
                SnapshotErrorCode.InvalidRequest, SnapshotErrorCode.JobNotFound, SnapshotErrorCode.DatabaseUnavailable)
                .And("not_acceptable"));
        jobs.MapPatch("{id}", ChangeAsync).WithName("changeJob").Needs(AccessRole.Operator)
            .Accepts<JobPatch>("application/json", MergePatch)
            .WithMetadata(ErrorCodes.Of(
                SnapshotErrorCode.InvalidRequest, SnapshotErrorCode.JobNotFound, SnapshotErrorCode.StateConflict,
                SnapshotErrorCode.DatabaseUnavailable)
                .And("not_acceptable", "payload_too_large", "unsupported_media_type"));
        jobs.MapDelete("{id}", CancelAsync).WithName("cancelJob").Needs(AccessRole.Operator)
            .WithMetadata(ErrorCodes.Of(
                SnapshotErrorCode.InvalidRequest, SnapshotErrorCode.JobNotFound, SnapshotErrorCode.StateConflict,
                SnapshotErrorCode.DatabaseUnavailable).And("not_acceptable"));
    }

    /// <summary>Lists jobs</summary>
    /// <remarks>Newest first. The pages hold still while new jobs come in.</remarks>
    /// <response code="200">A page of jobs. The header Link names the next one.</response>
    public static async Task<Ok<Page<Job>>> ListAsync(
        HttpContext context, JobTable jobs, ServerLookup servers, CancellationToken cancellationToken)
    {
        var query = new QueryFields(context);
        string? server = query.Text("server");
        string? node = query.Text("node");
        IReadOnlyList<JobStatus> statuses = query.Choices<JobStatus>("status");
        JobCursor? before = query.Cursor(Cursors.DecodeJob);
        int limit = query.Limit();
        query.ThrowIfWrong();

        Guid? serverId = await servers.FindIdAsync(server, cancellationToken).ConfigureAwait(false);
        var filter = new JobFilter(serverId, node, statuses, before, limit);
        return await AnswerPageAsync(context, jobs, filter, cancellationToken).ConfigureAwait(false);
    }

    internal static async Task<Ok<Page<Job>>> AnswerPageAsync(
        HttpContext context, JobTable jobs, JobFilter filter, CancellationToken cancellationToken)
    {
        // One row more than the page has tells whether there is a next one.
        IReadOnlyList<JobRecord> found =
            await jobs.ListAsync(filter with { Limit = filter.Limit + 1 }, cancellationToken).ConfigureAwait(false);
        var links = Links.Of(context);
        return Paging.Answer(
            context,
            found,
            filter.Limit,
            j => Cursors.Encode(new JobCursor(j.CreatedAt, j.Id)),
            j => j.ToContract(links));
    }

    /// <summary>Shows a job</summary>
    /// <remarks>
    /// Poll it until its status is final. The ETag is its version: with `If-None-Match` an unchanged job is answered
    /// with 304. With `wait` (long polling) the answer comes when the job differs from the version in `If-None-Match`
    /// or, without that header, from what it was when the request came; at once when it is final; at the latest after
    /// that time.
    /// </remarks>
    /// <param name="id">Id of the job.</param>
    /// <response code="200">The job. Retry-After is there until it is final.</response>
    /// <response code="304">The job has not changed.</response>
    public static async Task<Results<Ok<Job>, StatusCodeHttpResult>> GetAsync(
        string id,
        HttpContext context,
        JobFeed jobs,
        IHostApplicationLifetime lifetime,
        CancellationToken cancellationToken)
    {
        var query = new QueryFields(context);
        int? waitSeconds = query.Number(Wait.Name);
        query.ThrowIfWrong();

        Guid jobId = NotFound.JobId(id);
        JobRecord job = await jobs.FindAsync(jobId, cancellationToken).ConfigureAwait(false) ?? throw NotFound.Job(id);
        bool isNews = EntityTags.HasIfNoneMatch(context.Request) && !EntityTags.IsKnown(context.Request, job.Version);
        if (waitSeconds is > 0 && !job.IsFinal && !isNews)
        {
            // A service that stops answers at once: the client asks again, and meets the next process.
            using var stop =
                CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, lifetime.ApplicationStopping);
            try
            {
                var limit = TimeSpan.FromSeconds(waitSeconds.Value);
                job = await jobs.WaitForChangeAsync(jobId, job.Version, limit, stop.Token).ConfigureAwait(false)
                    ?? job;
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
            }
        }

        SetHeaders(context.Response, job);
        return EntityTags.IsKnown(context.Request, job.Version)
            ? TypedResults.StatusCode(StatusCodes.Status304NotModified)
            : TypedResults.Ok(job.ToContract(Links.Of(context)));
    }

    /// <summary>Shows a job's step log</summary>
    /// <remarks>
    /// What the job did, oldest first: when it was accepted, its plan, each step with its duration, warnings, images.
    /// </remarks>
    /// <param name="id">Id of the job.</param>
    /// <response code="200">The whole log.</response>
    public static async Task<Ok<Page<JobEventEntry>>> ListEventsAsync(
        string id, JobTable jobs, CancellationToken cancellationToken)
    {
        Guid jobId = NotFound.JobId(id);
        _ = await jobs.FindAsync(jobId, cancellationToken).ConfigureAwait(false) ?? throw NotFound.Job(id);
        IReadOnlyList<JobEvent> events = await jobs.ListEventsAsync(jobId, cancellationToken).ConfigureAwait(false);
        return TypedResults.Ok(new Page<JobEventEntry>([.. events.Select(e => e.ToContract())], Next: null));
    }

    /// <summary>Changes the bandwidth limit of a job</summary>
    /// <remarks>
    /// A JSON merge patch: `{"bandwidthBytesPerSecond": 10485760}` sets the limit, `null` lifts it. A running job
    /// follows within a second. The copy of a top layer in a cold capture, for which the guest waits, has no limit.
    /// </remarks>
    /// <param name="id">Id of the job.</param>
    /// <response code="200">The job with its new limit.</response>
    public static async Task<Ok<Job>> ChangeAsync(
        string id,
        HttpContext context,
        JobTable jobs,
        JobFeed feed,
        JobLimiter limiter,
        CancellationToken cancellationToken)
    {
        Guid jobId = NotFound.JobId(id);
        ReadOnlyMemory<byte> body =
            await BodyReader.ReadAsync(context.Request, MergePatch, cancellationToken).ConfigureAwait(false);
        JobChange change = JobPatchReader.Read(body);
        JobRecord job = change.ChangesBandwidth
            ? await limiter.LimitAsync(jobId, change.BandwidthBytesPerSecond, cancellationToken).ConfigureAwait(false)
            : await jobs.FindAsync(jobId, cancellationToken).ConfigureAwait(false) ?? throw NotFound.Job(id);
        feed.Invalidate(jobId);
        SetHeaders(context.Response, job);
        return TypedResults.Ok(job.ToContract(Links.Of(context)));
    }

    /// <summary>Cancels a job</summary>
    /// <remarks>
    /// The node undoes what it did and the job becomes `cancelled`; poll it. Asking again changes nothing. A job that
    /// ends before it hears of this keeps its outcome.
    /// </remarks>
    /// <param name="id">Id of the job.</param>
    /// <response code="202">It is being cancelled, or, when it had not begun, is cancelled.</response>
    public static async Task<Accepted<Job>> CancelAsync(
        string id, HttpContext context, JobCanceller canceller, JobFeed feed, CancellationToken cancellationToken)
    {
        JobRecord job = await canceller.CancelAsync(NotFound.JobId(id), cancellationToken).ConfigureAwait(false);
        feed.Invalidate(job.Id);
        SetHeaders(context.Response, job);
        var links = Links.Of(context);
        return TypedResults.Accepted(links.Job(job.Id), job.ToContract(links));
    }

    /// <summary>Sets the headers of an answer that shows a job.</summary>
    internal static void SetHeaders(HttpResponse response, JobRecord job)
    {
        response.Headers.ETag = EntityTags.Of(job.Version).ToString();
        response.Headers.CacheControl = "no-cache";
        if (!job.IsFinal)
        {
            response.Headers.RetryAfter = PollSeconds;
        }
    }
}
