using System.Security.Claims;
using System.Text.Json.Nodes;
using SnapshotApi.Api.Access;
using SnapshotApi.Configuration;
using SnapshotApi.Errors;

namespace SnapshotApi.Api.Nova;

/// <summary>Marks a request as one to the face of Nova: it is answered, and refused, in Nova's words.</summary>
internal sealed class NovaRequest
{
    /// <summary>Where the face is.</summary>
    public const string Prefix = "/v2.1";

    /// <summary>Microversion that the client asked for.</summary>
    public NovaVersion Version { get; set; } = NovaVersion.Oldest;

    /// <summary>The mark of a request; null when it is not for the face, or there is none.</summary>
    public static NovaRequest? Of(HttpContext context) => context.Features.Get<NovaRequest>();
}

/// <summary>
/// Recognizes requests to the face. Some catalogs name Nova's address with the project in it (<c>/v2.1/PROJECT/servers</c>): that part is taken
/// out, since the token says it already.
/// </summary>
internal sealed class NovaRequestMiddleware(RequestDelegate next)
{
    private const int ProjectIdLength = 32;

    /// <summary>Serves the request.</summary>
    public Task InvokeAsync(HttpContext context)
    {
        if (context.Request.Path.StartsWithSegments(NovaRequest.Prefix, StringComparison.Ordinal, out PathString rest))
        {
            context.Features.Set(new NovaRequest());
            string text = rest.Value ?? string.Empty;
            if (text.Length > ProjectIdLength && text[1..(ProjectIdLength + 1)].All(char.IsAsciiHexDigit)
                && (text.Length == ProjectIdLength + 1 || text[ProjectIdLength + 1] == '/'))
            {
                context.Request.Path = NovaRequest.Prefix + text[(ProjectIdLength + 1)..];
            }
        }

        return next(context);
    }
}

/// <summary>Who calls through the face.</summary>
/// <param name="ProjectId">Project that his token is for.</param>
/// <param name="UserId">Id of the user.</param>
/// <param name="IsAdmin">He sees the servers of all projects.</param>
/// <param name="Token">His token, by which records are made in his name.</param>
internal sealed record NovaCaller(string ProjectId, string UserId, bool IsAdmin, string Token)
{
    /// <summary>The caller of a request that was let in.</summary>
    public static NovaCaller Of(HttpContext context) => new(
        context.User.FindFirstValue(Caller.ProjectType) ?? string.Empty,
        context.User.FindFirstValue(Caller.UserType) ?? string.Empty,
        context.User.IsInRole(AccessRole.Admin.Name()),
        context.Request.Headers[KeystoneHandler.Header].ToString());
}

/// <summary>Refuses in Nova's words: <c>{"itemNotFound": {"code": 404, "message": ...}}</c>. Its clients print the message.</summary>
internal static class NovaRefusal
{
    private const string Name = "computeFault";

    /// <summary>A refusal with a status of its own.</summary>
    public static RequestRejectedException Of(int status, string message) => new(new ProblemKind("nova", status, Name), message);

    /// <summary>There is no such server, or the caller may not know of it: the same answer for both.</summary>
    public static RequestRejectedException NoServer(string id) =>
        Of(StatusCodes.Status404NotFound, $"Instance {Validation.TextRule.Shown(id)} could not be found.");

    /// <summary>Answers with a refusal.</summary>
    /// <param name="context">The request; nothing of its answer may be sent yet.</param>
    /// <param name="kind">What kind of problem, in our words.</param>
    /// <param name="detail">What happened.</param>
    /// <param name="details">More of it: the wrong fields.</param>
    public static Task WriteAsync(HttpContext context, ProblemKind kind, string detail, IReadOnlyDictionary<string, object?> details)
    {
        int status = StatusOf(kind);
        string message = details.GetValueOrDefault(ProblemWriter.ErrorsKey) is IReadOnlyDictionary<string, IReadOnlyList<string>> fields
            ? "Invalid input: " + string.Join("; ", fields.Select(f => $"{f.Key} {string.Join(", and ", f.Value)}")) + "."
            : detail;
        var fault = new JsonObject { ["code"] = status, ["message"] = message };
        if (kind.RetryAfterSeconds is { } seconds)
        {
            string text = seconds.ToString(System.Globalization.CultureInfo.InvariantCulture);
            context.Response.Headers.RetryAfter = text;
            fault["retryAfter"] = text;
        }

        context.Response.StatusCode = status;
        return context.Response.WriteAsJsonAsync(new JsonObject { [NameOf(status)] = fault }, context.RequestAborted);
    }

    // Nova knows fewer: what is wrong with a request is a bad one, and an image service that fails is a service that is not there.
    private static int StatusOf(ProblemKind kind) => kind.Error switch
    {
        SnapshotErrorCode.QuotaExceeded => StatusCodes.Status403Forbidden,
        SnapshotErrorCode.StoreFailed or SnapshotErrorCode.TimedOut => StatusCodes.Status503ServiceUnavailable,
        SnapshotErrorCode.ServerAmbiguous or SnapshotErrorCode.UnsupportedDisk or SnapshotErrorCode.UnsupportedRequest => StatusCodes.Status400BadRequest,
        _ => kind.Status,
    };

    private static string NameOf(int status) => status switch
    {
        400 => "badRequest",
        401 => "unauthorized",
        403 => "forbidden",
        404 => "itemNotFound",
        405 => "badMethod",
        409 => "conflictingRequest",
        413 or 429 => "overLimit",
        415 => "badMediaType",
        501 => "notImplemented",
        503 => "serviceUnavailable",
        _ => Name,
    };
}
