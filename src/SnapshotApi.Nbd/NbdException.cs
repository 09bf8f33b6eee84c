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
