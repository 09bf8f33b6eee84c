namespace SnapshotApi.Contracts;

/// <summary>One page of a list.</summary>
/// <param name="Items">What is on this page, in the order of the list; empty when there is nothing.</param>
/// <param name="Next">Address of the next page, the same as in the <c>Link</c> header; null on the last page.</param>
public sealed record Page<T>(IReadOnlyList<T> Items, string? Next);
