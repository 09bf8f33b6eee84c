using System.Text.Json.Nodes;
using SnapshotApi.Errors;

namespace SnapshotApi.Api.Nova;

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
