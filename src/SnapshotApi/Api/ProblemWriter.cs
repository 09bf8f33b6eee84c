using System.Diagnostics;
using SnapshotApi.Api.Nova;
using SnapshotApi.Contracts;

namespace SnapshotApi.Api;

/// <summary>
/// Writes problem documents: the API's, and those that the framework asks for. The framework's own writer lacks the
/// members of our contract, and writes nothing to a client that does not accept JSON.
/// </summary>
internal sealed class ProblemWriter : IProblemDetailsWriter
{
    public const string ContentType = "application/problem+json";

    /// <summary>Name of the detail with the wrong fields.</summary>
    public const string ErrorsKey = "errors";

    /// <summary>Name of the detail with the job at work: its id or its address.</summary>
    public const string JobKey = "job";

    /// <summary>Name of the detail with the servers of one name.</summary>
    public const string ServerIdsKey = "serverIds";

    private static readonly Dictionary<string, object?> NoDetails = [];

    /// <summary>Id that finds a request in the log.</summary>
    public static string TraceIdOf(HttpContext context) =>
        Activity.Current?.TraceId.ToString() ?? context.TraceIdentifier;

    public bool CanWrite(ProblemDetailsContext context) => true;

    /// <summary>Describes an answer that routing, a middleware or a result left without a body.</summary>
    public ValueTask WriteAsync(ProblemDetailsContext context)
    {
        int status = context.ProblemDetails.Status ?? context.HttpContext.Response.StatusCode;
        string detail = status switch
        {
            StatusCodes.Status404NotFound => "nothing is at this address; /swagger lists all there is",
            StatusCodes.Status405MethodNotAllowed => $"this address takes {context.HttpContext.Response.Headers.Allow}",
            StatusCodes.Status406NotAcceptable => "the answer is application/json",
            StatusCodes.Status415UnsupportedMediaType => "the body must be application/json",
            StatusCodes.Status416RangeNotSatisfiable => "the range lies outside of the file",
            _ => $"the service answered with status {status}",
        };
        return new ValueTask(WriteAsync(context.HttpContext, ProblemMapping.OfStatus(status), detail));
    }

    /// <summary>Answers with a problem document.</summary>
    /// <param name="context">The request; its answer must not have started.</param>
    /// <param name="detail">What happened, for the API's user.</param>
    /// <param name="details">More members; those that the document does not have are left out.</param>
    public static Task WriteAsync(
        HttpContext context, ProblemKind kind, string detail, IReadOnlyDictionary<string, object?>? details = null)
    {
        details ??= NoDetails;
        if (NovaRequest.Of(context) is not null)
        {
            return NovaRefusal.WriteAsync(context, kind, detail, details);
        }

        context.Response.StatusCode = kind.Status;
        if (kind.RetryAfterSeconds is { } seconds)
        {
            context.Response.Headers.RetryAfter = seconds.ToString(System.Globalization.CultureInfo.InvariantCulture);
        }

        var problem = new Problem(
            kind.Type,
            kind.Title,
            kind.Status,
            detail,
            context.Request.PathBase.Add(context.Request.Path).ToUriComponent(),
            kind.Code,
            TraceIdOf(context),
            details.GetValueOrDefault(ErrorsKey) as IReadOnlyDictionary<string, IReadOnlyList<string>>,
            JobAddress(Links.Of(context), details.GetValueOrDefault(JobKey)),
            ServerIds(details.GetValueOrDefault(ServerIdsKey)));
        return context.Response.WriteAsJsonAsync(problem, ApiJson.Problems, ContentType, context.RequestAborted);
    }

    private static string? JobAddress(Links links, object? job) => job switch
    {
        Guid id => links.Job(id),
        string text when Guid.TryParse(text, out Guid id) => links.Job(id),
        string address => address,
        _ => null,
    };

    private static IReadOnlyList<Guid>? ServerIds(object? ids) => ids is IEnumerable<Guid> list ? [.. list] : null;
}
