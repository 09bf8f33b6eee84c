namespace SnapshotApi.Nbd;

/// <summary>The server or libnbd does not know this kind of request: do not repeat it. The connection is usable.</summary>
public sealed class NbdUnsupportedException(string function, int errno, string message) : NbdException(function, errno, message);
