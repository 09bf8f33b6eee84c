namespace SnapshotApi.Linux;

/// <summary>Who has a file open for writing.</summary>
/// <param name="File">Which file.</param>
/// <param name="Name">For example <c>process qemu-system-x86 (4711)</c>, <c>loop device loop3</c>; no path.</param>
public readonly record struct FileWriter(FileIdentity File, string Name);
