using SnapshotApi.Errors;

namespace SnapshotApi.Api;

/// <summary>One kind of problem that the API answers with.</summary>
/// <param name="Code">Stable code in snake_case.</param>
/// <param name="Status">HTTP status.</param>
/// <param name="Title">The kind in a few words.</param>
/// <param name="Error">The error of the closed list that it stands for; null for what only HTTP knows.</param>
internal sealed record ProblemKind(string Code, int Status, string Title, SnapshotErrorCode? Error = null)
{
    /// <summary>Seconds after which a repetition may succeed; null when it will not by itself.</summary>
    public int? RetryAfterSeconds { get; init; }

    /// <summary>The URI that names it.</summary>
    public string Type => $"urn:snapshotapi:problem:{Code}";
}
