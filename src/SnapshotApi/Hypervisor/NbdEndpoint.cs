namespace SnapshotApi.Hypervisor;

/// <summary>Where one read-only disk can be read over NBD on this host.</summary>
/// <param name="SocketPath">Path of the unix socket, at most 107 bytes.</param>
/// <param name="ExportName">Name of the export behind it; empty for the default export.</param>
internal sealed record NbdEndpoint(string SocketPath, string ExportName);
