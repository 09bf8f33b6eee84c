using System.Diagnostics;
using SnapshotApi.Api.Nova;
using SnapshotApi.Contracts;

namespace SnapshotApi.Api;

/// <summary>Writes problem documents.</summary>
internal static class ProblemWriter
{
    /// <summary>Media type of problem documents.</summary>
    public const string ContentType = "application/problem+json";

    /// <summary>Name of the detail that holds the wrong fields.</summary>
    public const string ErrorsKey = "errors";

    /// <summary>Name of the detail that holds the job at work: its id or its address.</summary>
    public const string JobKey = "job";

    /// <summary>Name of the detail that holds the servers of one name.</summary>
    public const string ServerIdsKey = "serverIds";

    private static readonly Dictionary<string, object?> NoDetails = [];

    /// <summary>Id that finds a request in the log.</summary>
    public static string TraceIdOf(HttpContext context) => Activity.Current?.TraceId.ToString() ?? context.TraceIdentifier;

    /// <summary>Answers with a problem document.</summary>
    /// <param name="context">The request; nothing of its answer may be sent yet.</param>
    /// <param name="kind">What kind of problem.</param>
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
