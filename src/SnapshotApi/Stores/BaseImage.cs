namespace SnapshotApi.Stores;

/// <summary>The record of the image that a server was made from, as a store has it.</summary>
/// <param name="ContainerFormat">For example <c>bare</c> or <c>ami</c>; null when it has none.</param>
/// <param name="Members">All of its members that are text: attributes of the store, and properties.</param>
internal sealed record BaseImage(string? ContainerFormat, IReadOnlyDictionary<string, string> Members);
