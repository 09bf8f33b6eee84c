namespace SnapshotApi.Api;

/// <summary>A request that HTTP's own rules refuse: its body is too large, or of the wrong type.</summary>
/// <param name="kind">What to answer.</param>
/// <param name="message">A fact for the API's user.</param>
internal sealed class RequestRejectedException(ProblemKind kind, string message) : Exception(message)
{
    /// <summary>What to answer.</summary>
    public ProblemKind Kind { get; } = kind;
}
