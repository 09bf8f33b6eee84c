namespace SnapshotApi.Hypervisor;

/// <summary>One layer of a disk's chain.</summary>
/// <param name="SourceType"><c>file</c>, <c>block</c>, <c>network</c>.</param>
/// <param name="Path">File or device on the host; null for a network source. Never shown to the API's user.</param>
/// <param name="Format">Format that the domain XML names; null when it names none.</param>
internal sealed record DiskLayer(string SourceType, string? Path, string? Format);
