using SnapshotApi.Errors;

namespace SnapshotApi.Api;

/// <summary>Endpoint metadata: the kinds of problem that an operation answers with. It documents them; it changes nothing.</summary>
/// <param name="Kinds">The kinds, by status.</param>
internal sealed record ErrorCodes(IReadOnlyList<ProblemKind> Kinds)
{
    /// <summary>Documents the errors of an operation; internal_error goes without saying.</summary>
    public static ErrorCodes Of(params SnapshotErrorCode[] codes) =>
        new([.. codes.Append(SnapshotErrorCode.InternalError).Select(ProblemMapping.Of).OrderBy(k => k.Status)]);

    /// <summary>Documents kinds that only HTTP knows, besides.</summary>
    public ErrorCodes And(params string[] codes) => new([.. Kinds.Concat(codes.Select(ProblemMapping.Of)).OrderBy(k => k.Status)]);
}
