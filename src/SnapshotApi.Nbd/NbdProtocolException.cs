namespace SnapshotApi.Nbd;

/// <summary>The connection could not be made or is lost: dispose of it.</summary>
public sealed class NbdProtocolException(string function, int errno, string message) : NbdException(function, errno, message);
