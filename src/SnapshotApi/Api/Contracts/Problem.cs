namespace SnapshotApi.Api.Contracts;

/// <summary>An error, as RFC 9457 (application/problem+json) describes it.</summary>
/// <param name="Type">Names the kind of problem; <c>urn:snapshotapi:problem:</c> and the code.</param>
/// <param name="Title">What the kind of problem is, the same text each time.</param>
/// <param name="Status">HTTP status.</param>
/// <param name="Detail">What happened this time.</param>
/// <param name="Instance">Path of the request.</param>
/// <param name="Code">Stable code for programs, in snake_case.</param>
/// <param name="TraceId">Finds the request in the service's log.</param>
/// <param name="Errors">For <c>invalid_request</c>: every wrong field, with all that is wrong with it.</param>
/// <param name="Job">For <c>server_busy</c>: address of the job at work, when it is one of ours.</param>
/// <param name="ServerIds">For <c>server_ambiguous</c>: the UUIDs of the servers that have the name.</param>
internal sealed record Problem(
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

/// <summary>One page of a list.</summary>
/// <param name="Items">What is on this page, in the order of the list; empty when there is nothing.</param>
/// <param name="Next">Address of the next page, the same as in the <c>Link</c> header; null on the last page.</param>
internal sealed record Page<T>(IReadOnlyList<T> Items, string? Next);
