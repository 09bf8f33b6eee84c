namespace SnapshotApi.Libvirt;

/// <summary>
/// <c>virErrorNumber</c>: what went wrong. A value that is not named here (a later libvirt) is kept as the number it
/// is.
/// See https://libvirt.org/html/libvirt-virterror.html#virErrorNumber
/// </summary>
public enum LibvirtErrorCode
{
    /// <summary>No error was recorded.</summary>
    None = 0,
    /// <summary>Whatever has no code of its own; QEMU's refusals among them.</summary>
    InternalError = 1,
    /// <summary>The driver does not have this function.</summary>
    NoSupport = 3,
    /// <summary>The hypervisor or the daemon cannot be reached.</summary>
    NoConnect = 5,
    InvalidConn = 6,
    /// <summary>An argument is wrong; an unknown disk among others.</summary>
    InvalidArg = 8,
    /// <summary>The connection is read-only.</summary>
    OperationDenied = 29,
    XmlDetail = 35,
    SystemError = 38,
    /// <summary>The daemon and the client did not understand each other, or the connection broke.</summary>
    RpcError = 39,
    NoDomain = 42,
    NoNetwork = 43,
    NoStoragePool = 49,
    NoStorageVol = 50,
    /// <summary>Not in the state that the domain is in.</summary>
    OperationInvalid = 55,
    NoSecret = 66,
    /// <summary>The domain is configured in a way that does not allow this.</summary>
    ConfigUnsupported = 67,
    /// <summary>A time limit of libvirt ran out, for example for the state change lock.</summary>
    OperationTimeout = 68,
    /// <summary>Nobody can authenticate this user: there is no polkit agent, for example.</summary>
    AuthUnavailable = 80,
    Overflow = 82,
    /// <summary>A block copy job stands in the way.</summary>
    BlockCopyActive = 83,
    OperationUnsupported = 84,
    Ssh = 85,
    /// <summary>The guest agent does not answer, does not run or is not configured.</summary>
    AgentUnresponsive = 86,
    NoServer = 95,
    /// <summary>The guest agent answered another question. Deprecated by libvirt.</summary>
    AgentUnsynced = 97,
    Libssh = 98,
    NoDomainBackup = 104,
    CheckpointInconsistent = 109,
}
