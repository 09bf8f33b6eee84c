using System.Text.Json;

namespace SnapshotApi.Cli.Contracts;

/// <summary>One page of a list.</summary>
/// <param name="Items">What is on it.</param>
/// <param name="Next">Address of the next page; null on the last.</param>
internal sealed record PageDocument(IReadOnlyList<JsonElement> Items, string? Next);
