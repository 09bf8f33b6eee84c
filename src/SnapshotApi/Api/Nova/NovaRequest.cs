using System.Security.Claims;
using System.Text.Json.Nodes;
using SnapshotApi.Api.Access;

namespace SnapshotApi.Api.Nova;

/// <summary>Marks a request to Nova's API: it is answered, and refused, in Nova's words.</summary>
internal sealed class NovaRequest
{
    public const string Prefix = "/v2.1";

    /// <summary>Microversion that the client asked for.</summary>
    public NovaVersion Version { get; set; } = NovaVersion.Oldest;

    /// <summary>The mark of a request; null when it is for another API.</summary>
    public static NovaRequest? Of(HttpContext context) => context.Features.Get<NovaRequest>();
}

/// <summary>
/// Recognizes requests to Nova's API. Some catalogs have the project in Nova's address (<c>/v2.1/PROJECT/servers</c>):
/// that part is removed, since the token says it already.
/// </summary>
internal sealed class NovaRequestMiddleware(RequestDelegate next)
{
    private const int ProjectIdLength = 32;

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

/// <summary>The caller of Nova's API.</summary>
/// <param name="ProjectId">Project of the caller's token.</param>
/// <param name="IsAdmin">The caller sees the servers of all projects.</param>
/// <param name="Token">The caller's token, by which records in Glance are made.</param>
internal sealed record NovaCaller(string ProjectId, string UserId, bool IsAdmin, string Token)
{
    public static NovaCaller Of(HttpContext context) => new(
        context.User.FindFirstValue(Caller.ProjectType) ?? string.Empty,
        context.User.FindFirstValue(Caller.UserType) ?? string.Empty,
        context.User.IsInRole(AccessRole.Admin.Name()),
        context.Request.Headers[KeystoneHandler.Header].ToString());
}

/// <summary>Refusals as Nova writes them: <c>{"itemNotFound": {"code": 404, "message": ...}}</c>.</summary>
internal static class NovaRefusal
{
    private const string Name = "computeFault";

    public static RequestRejectedException Of(int status, string message) =>
        new(new ProblemKind("nova", status, Name), message);

    /// <summary>There is no such server, or not for this caller: the answer is the same.</summary>
    public static RequestRejectedException NoServer(string id) =>
        Of(StatusCodes.Status404NotFound, $"Instance {Validation.TextRule.Shown(id)} could not be found.");

    /// <param name="context">The request; its answer must not have started.</param>
    /// <param name="details">The wrong fields.</param>
    public static Task WriteAsync(
        HttpContext context, ProblemKind kind, string detail, IReadOnlyDictionary<string, object?> details)
    {
        int status = StatusOf(kind);
        object? errors = details.GetValueOrDefault(ProblemWriter.ErrorsKey);
        string message = errors is IReadOnlyDictionary<string, IReadOnlyList<string>> fields
            ? $"Invalid input: {string.Join("; ", fields.Select(f => $"{f.Key} {string.Join(", and ", f.Value)}"))}."
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

    // Nova knows fewer: an unsupported request is a bad one, and a failing image service is an unavailable one.
    private static int StatusOf(ProblemKind kind) => kind.Error switch
    {
        SnapshotErrorCode.QuotaExceeded => StatusCodes.Status403Forbidden,
        SnapshotErrorCode.StoreFailed or SnapshotErrorCode.TimedOut => StatusCodes.Status503ServiceUnavailable,
        SnapshotErrorCode.ServerAmbiguous => StatusCodes.Status400BadRequest,
        SnapshotErrorCode.UnsupportedDisk or SnapshotErrorCode.UnsupportedRequest => StatusCodes.Status400BadRequest,
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
