namespace SnapshotApi.Contracts;

/// <summary>An error, as RFC 9457 (application/problem+json) describes it.</summary>
/// <param name="Type">Names the kind of problem; <c>urn:snapshotapi:problem:</c> and the code.</param>
/// <param name="Title">What the kind of problem is, the same text each time.</param>
/// <param name="Status">HTTP status.</param>
/// <param name="Detail">What happened this time.</param>
/// <param name="Instance">Path of the request.</param>
/// <param name="Code">Stable code for programs, in snake_case.</param>
/// <param name="TraceId">Finds the request in the service's log.</param>
/// <param name="Errors">For <c>invalid_request</c>: every wrong field with its errors.</param>
/// <param name="Job">For <c>server_busy</c>: address of the running job, when it is one of this service.</param>
/// <param name="ServerIds">For <c>server_ambiguous</c>: the UUIDs of the servers that have the name.</param>
public sealed record Problem(
    string Type,
    string Title,
    int Status,
    string Detail,
    string Instance,
    string Code,
    string TraceId,
    IReadOnlyDictionary<string, IReadOnlyList<string>>? Errors = null,
    string? Job = null,
    IReadOnlyList<Guid>? ServerIds = null);
