using System.Collections.Frozen;

namespace SnapshotApi.Api;

/// <summary>The one table from what went wrong to what HTTP says.</summary>
internal static class ProblemMapping
{
    // A restart of PostgreSQL or libvirtd takes a few seconds; sooner is pointless, much later makes clients wait.
    private const int RetrySeconds = 5;

    /// <summary>Every kind of problem. Those of jobs end a job; only few requests meet them.</summary>
    public static IReadOnlyList<ProblemKind> Kinds { get; } =
    [
        Of(SnapshotErrorCode.InvalidRequest, 400, "The request is malformed."),
        Of(SnapshotErrorCode.ServerNotFound, 404, "No node runs such a server."),
        Of(SnapshotErrorCode.JobNotFound, 404, "There is no such job."),
        Of(SnapshotErrorCode.ImageNotFound, 404, "There is no such image."),
        Of(SnapshotErrorCode.NodeNotFound, 404, "There is no such node."),
        Of(SnapshotErrorCode.ServerAmbiguous, 409, "More than one server has that name."),
        Of(SnapshotErrorCode.ServerBusy, 409, "Something else is at work on the server."),
        Of(SnapshotErrorCode.StateConflict, 409, "The state does not allow this."),
        Of(SnapshotErrorCode.ImageNotLocal, 409, "The image's file is on another node."),
        Of(SnapshotErrorCode.UnsupportedDisk, 422, "The disk can't be captured like this."),
        Of(SnapshotErrorCode.UnsupportedRequest, 422, "This is not available for the server or its node."),
        Of(SnapshotErrorCode.IdempotencyMismatch, 422, "The Idempotency-Key was used with another request."),
        Of(SnapshotErrorCode.HypervisorUnavailable, 503, "libvirt does not answer.")
            with { RetryAfterSeconds = RetrySeconds },
        Of(SnapshotErrorCode.DatabaseUnavailable, 503, "PostgreSQL does not answer.")
            with { RetryAfterSeconds = RetrySeconds },
        Of(SnapshotErrorCode.InternalError, 500, "The service has a defect."),

        // Of jobs.
        Of(SnapshotErrorCode.HypervisorError, 500, "libvirt or QEMU refused or failed an operation."),
        Of(SnapshotErrorCode.QuiesceFailed, 500, "The guest could not be frozen or thawed."),
        Of(SnapshotErrorCode.ServerStopped, 500, "The server stopped while its disks were read."),
        Of(SnapshotErrorCode.CopySourceFailed, 500, "Reading the disk failed."),
        Of(SnapshotErrorCode.CopyDestinationFailed, 500, "Writing the image failed."),
        Of(SnapshotErrorCode.NoSpace, 500, "There is not enough free space."),
        Of(SnapshotErrorCode.ImageRejected, 500, "The image is not what it should be."),
        Of(SnapshotErrorCode.ToolFailed, 500, "A tool failed."),
        Of(SnapshotErrorCode.StoreFailed, 502, "The image store refused or failed."),
        Of(SnapshotErrorCode.QuotaExceeded, 500, "The image store's limit is reached."),
        Of(SnapshotErrorCode.ImageDeleted, 500, "The image was deleted while it was written."),
        Of(SnapshotErrorCode.TimedOut, 500, "It took too long."),
        Of(SnapshotErrorCode.Abandoned, 500, "The worker died."),
        Of(SnapshotErrorCode.NodeLost, 500, "The node is lost."),
        Of(SnapshotErrorCode.Cancelled, 500, "The job was cancelled."),

        // Of HTTP alone.
        new("unauthorized", 401, "It is not known who asks."),
        new("forbidden", 403, "The caller may not do this."),
        new("not_found", 404, "There is nothing at this address."),
        new("method_not_allowed", 405, "The address does not offer this method."),
        new("not_acceptable", 406, "The answer is not available in that form."),
        new("payload_too_large", 413, "The body is too large."),
        new("unsupported_media_type", 415, "The body has the wrong content type."),
        new("range_not_satisfiable", 416, "The file has no such range."),
        new("rate_limited", 429, "The caller asks too often.") { RetryAfterSeconds = 1 },
        new("identity_unavailable", 503, "It can't be found out who asks.") { RetryAfterSeconds = RetrySeconds },
        new("http_error", 400, "The request was refused."),
    ];

    private static readonly FrozenDictionary<string, ProblemKind> ByCode = Kinds.ToFrozenDictionary(k => k.Code);

    public static ProblemKind Of(string code) => ByCode[code];

    public static ProblemKind Of(SnapshotErrorCode code) => ByCode[code.ToSnakeCase()];

    /// <summary>The kind of a status that routing or a middleware set without a body.</summary>
    public static ProblemKind OfStatus(int status) => status switch
    {
        401 => Of("unauthorized"),
        403 => Of("forbidden"),
        404 => Of("not_found"),
        405 => Of("method_not_allowed"),
        406 => Of("not_acceptable"),
        413 => Of("payload_too_large"),
        415 => Of("unsupported_media_type"),
        416 => Of("range_not_satisfiable"),
        429 => Of("rate_limited"),
        < 500 => Of("http_error") with { Status = status },
        _ => Of(SnapshotErrorCode.InternalError) with { Status = status },
    };

    public static ProblemKind OfException(Exception exception) => exception switch
    {
        RequestRejectedException e => e.Kind,
        SnapshotException e => Of(e.Code),
        BadHttpRequestException e => OfStatus(e.StatusCode),
        _ => Of(SnapshotErrorCode.InternalError),
    };

    private static ProblemKind Of(SnapshotErrorCode code, int status, string title) =>
        new(code.ToSnakeCase(), status, title, code);
}

/// <summary>One kind of problem that the API answers with.</summary>
/// <param name="Code">Stable code in snake_case.</param>
/// <param name="Error">The error of the closed list; null for what only HTTP knows.</param>
internal sealed record ProblemKind(string Code, int Status, string Title, SnapshotErrorCode? Error = null)
{
    /// <summary>Seconds after which a repetition may succeed; null when it will not.</summary>
    public int? RetryAfterSeconds { get; init; }

    public string Type => $"urn:snapshotapi:problem:{Code}";
}

/// <summary>Endpoint metadata that documents the kinds of problem of an operation, by status.</summary>
internal sealed record ErrorCodes(IReadOnlyList<ProblemKind> Kinds)
{
    /// <summary>Documents the errors of an operation, and internal_error.</summary>
    public static ErrorCodes Of(params SnapshotErrorCode[] codes) =>
        new([.. codes.Append(SnapshotErrorCode.InternalError).Select(ProblemMapping.Of).OrderBy(k => k.Status)]);

    /// <summary>Documents kinds that only HTTP knows, too.</summary>
    public ErrorCodes And(params string[] codes) =>
        new([.. Kinds.Concat(codes.Select(ProblemMapping.Of)).OrderBy(k => k.Status)]);
}
