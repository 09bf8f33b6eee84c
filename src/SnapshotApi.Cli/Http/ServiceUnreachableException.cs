namespace SnapshotApi.Cli.Http;

/// <summary>No usable answer came: no connection, none in time, or one that is not SnapshotApi's.</summary>
internal sealed class ServiceUnreachableException(string message, Exception? inner = null) : Exception(message, inner);
