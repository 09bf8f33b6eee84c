namespace SnapshotApi.Nbd;

/// <summary>
/// A failure that libnbd or the server reported. What to do next is in the type: <see cref="NbdProtocolException"/>,
/// <see cref="NbdRequestException"/> or <see cref="NbdUnsupportedException"/>. Our own misuse is thrown as the usual CLR exceptions.
/// </summary>
public abstract class NbdException : Exception
{
    private protected NbdException(string function, int errno, string message)
        : base(message)
    {
        Function = function;
        Errno = errno;
    }

    /// <summary>The libnbd function that failed.</summary>
    public string Function { get; }

    /// <summary>The Linux errno that libnbd or the server gave (5 = EIO), 0 if it gave none.</summary>
    public int Errno { get; }
}

/// <summary>The connection could not be made or is lost: dispose of it.</summary>
public sealed class NbdProtocolException(string function, int errno, string message) : NbdException(function, errno, message);

/// <summary>The server refused one request; the connection is usable and the request may be repeated.</summary>
public sealed class NbdRequestException(string function, int errno, string message) : NbdException(function, errno, message);

/// <summary>The server or libnbd does not know this kind of request: do not repeat it. The connection is usable.</summary>
public sealed class NbdUnsupportedException(string function, int errno, string message) : NbdException(function, errno, message);
