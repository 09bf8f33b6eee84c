namespace SnapshotApi.Nbd;

/// <summary>The server refused one request; the connection is usable and the request may be repeated.</summary>
public sealed class NbdRequestException(string function, int errno, string message) : NbdException(function, errno, message);
