namespace SnapshotApi.Libvirt;

/// <summary>
/// A call that libvirt refused or failed. Misuse of the binding is reported by the standard CLR exceptions
/// (<see cref="ArgumentException"/>, <see cref="ObjectDisposedException"/>), a missing client library by
/// <see cref="DllNotFoundException"/>, one too old for a call by <see cref="EntryPointNotFoundException"/>.
/// </summary>
/// <param name="function">The C function that failed, for example <c>virDomainBlockCopy</c>.</param>
/// <param name="source">The part of libvirt that said so.</param>
/// <param name="nativeMessage">libvirt's text; may contain paths of the host.</param>
public sealed class LibvirtException(
    string function, LibvirtErrorCode code, LibvirtErrorSource source, string nativeMessage)
    : Exception($"{function}: {nativeMessage} (code {code}, source {source})")
{
    /// <summary>The C function that failed.</summary>
    public string Function { get; } = function;

    public LibvirtErrorCode Code { get; } = code;

    /// <summary>The part of libvirt that said so (<c>virErrorDomain</c>).</summary>
    public LibvirtErrorSource ErrorSource { get; } = source;

    /// <summary>libvirt's text alone; may contain paths of the host.</summary>
    public string NativeMessage { get; } = nativeMessage;

    /// <summary>The connection broke: the outcome of the call is unknown, and asking takes a new one.</summary>
    public bool IsConnectionLost => Code switch
    {
        LibvirtErrorCode.NoConnect or LibvirtErrorCode.InvalidConn => true,
        // virnetclient.c and virnetsocket.c: "client socket is closed" and "connection closed due to keepalive timeout"
        // are internal errors, "Cannot recv data" and "Failed to connect socket" system errors, all of source RPC.
        LibvirtErrorCode.InternalError or LibvirtErrorCode.SystemError or LibvirtErrorCode.RpcError
            => ErrorSource is LibvirtErrorSource.Rpc or LibvirtErrorSource.Remote,
        _ => false,
    };
}

/// <summary>
/// <c>virErrorDomain</c>: the part of libvirt that raised the error; no guest, in spite of its name in C. A value that
/// is not named here (a later libvirt) is kept as the number it is.
/// See https://libvirt.org/html/libvirt-virterror.html#virErrorDomain
/// </summary>
public enum LibvirtErrorSource
{
    None = 0,
    Xml = 5,
    Rpc = 7,
    Qemu = 10,
    Net = 11,
    Test = 12,
    Remote = 13,
    Storage = 18,
    Network = 19,
    Domain = 20,
    Security = 24,
    One = 27,
    Secret = 30,
    Streams = 38,
    Event = 40,
    Capabilities = 44,
    Uri = 45,
    Auth = 46,
    Device = 49,
    Ssh = 50,
    Identity = 53,
    Access = 55,
    Thread = 61,
    Admin = 62,
    Logging = 63,
    Libssh = 66,
    Tpm = 70,
}
