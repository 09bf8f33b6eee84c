namespace SnapshotApi.Nbd;

/// <summary>A failure that libnbd or the server reported; its type says what to do next.</summary>
/// <param name="function">The libnbd function that failed.</param>
public abstract class NbdException(string function, int errno, string message) : Exception(message)
{
    /// <summary>The libnbd function that failed.</summary>
    public string Function { get; } = function;

    /// <summary>The Linux errno that libnbd or the server gave (5 = EIO), 0 if it gave none.</summary>
    public int Errno { get; } = errno;
}

/// <summary>The connection could not be made or is lost: dispose of it.</summary>
public sealed class NbdProtocolException(string function, int errno, string message)
    : NbdException(function, errno, message);

/// <summary>The server refused one request; the connection is usable and the request may be repeated.</summary>
public sealed class NbdRequestException(string function, int errno, string message)
    : NbdException(function, errno, message);

/// <summary>The server or libnbd has no such kind of request: do not repeat it. The connection is usable.</summary>
public sealed class NbdUnsupportedException(string function, int errno, string message)
    : NbdException(function, errno, message);
