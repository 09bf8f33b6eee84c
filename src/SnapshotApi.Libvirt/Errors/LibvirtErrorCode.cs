namespace SnapshotApi.Libvirt;

/// <summary>
/// <c>virErrorNumber</c>: what went wrong. A value that this list does not name (a later libvirt) is kept as the number it is.
/// See https://libvirt.org/html/libvirt-virterror.html#virErrorNumber
/// </summary>
public enum LibvirtErrorCode
{
    /// <summary>No error was recorded.</summary>
    None = 0,

    /// <summary>Anything that has no code of its own; QEMU's refusals among them.</summary>
    InternalError = 1,

    /// <summary>Memory ran out.</summary>
    NoMemory = 2,

    /// <summary>The driver does not have this function.</summary>
    NoSupport = 3,

    UnknownHost = 4,

    /// <summary>The hypervisor or the daemon cannot be reached.</summary>
    NoConnect = 5,

    InvalidConn = 6,
    InvalidDomain = 7,

    /// <summary>An argument is wrong; an unknown disk among others.</summary>
    InvalidArg = 8,

    /// <summary>The hypervisor refused a command.</summary>
    OperationFailed = 9,

    GetFailed = 10,
    PostFailed = 11,
    HttpError = 12,
    SexprSerial = 13,
    NoXen = 14,
    XenCall = 15,
    UnknownOsType = 16,
    NoKernel = 17,
    NoRoot = 18,
    NoSource = 19,
    NoTarget = 20,
    NoName = 21,
    NoOs = 22,
    NoDevice = 23,
    NoXenstore = 24,
    DriverFull = 25,
    CallFailed = 26,

    /// <summary>The XML is malformed or does not make a domain.</summary>
    XmlError = 27,

    /// <summary>A domain of this name or UUID exists.</summary>
    DomainExists = 28,

    /// <summary>The connection is read-only.</summary>
    OperationDenied = 29,

    OpenFailed = 30,
    ReadFailed = 31,
    ParseFailed = 32,
    ConfSyntax = 33,
    WriteFailed = 34,
    XmlDetail = 35,
    InvalidNetwork = 36,
    NetworkExist = 37,

    /// <summary>A system call failed.</summary>
    SystemError = 38,

    /// <summary>The daemon and the client did not understand each other, or the connection broke.</summary>
    RpcError = 39,

    GnutlsError = 40,
    WarningNoNetwork = 41,

    /// <summary>There is no such domain, or it has just gone.</summary>
    NoDomain = 42,

    NoNetwork = 43,
    InvalidMac = 44,

    /// <summary>Authentication failed.</summary>
    AuthFailed = 45,

    InvalidStoragePool = 46,
    InvalidStorageVol = 47,
    WarningNoStorage = 48,
    NoStoragePool = 49,
    NoStorageVol = 50,
    WarningNoNode = 51,
    InvalidNodeDevice = 52,
    NoNodeDevice = 53,
    NoSecurityModel = 54,

    /// <summary>Not applicable in the state the domain is in.</summary>
    OperationInvalid = 55,

    WarningNoInterface = 56,
    NoInterface = 57,
    InvalidInterface = 58,
    MultipleInterfaces = 59,
    WarningNoNwfilter = 60,
    InvalidNwfilter = 61,
    NoNwfilter = 62,
    BuildFirewall = 63,
    WarningNoSecret = 64,
    InvalidSecret = 65,
    NoSecret = 66,

    /// <summary>The domain is configured in a way that does not allow this.</summary>
    ConfigUnsupported = 67,

    /// <summary>A time limit of libvirt ran out, for example for the state change lock.</summary>
    OperationTimeout = 68,

    MigratePersistFailed = 69,
    HookScriptFailed = 70,
    InvalidDomainSnapshot = 71,
    NoDomainSnapshot = 72,
    InvalidStream = 73,

    /// <summary>A valid argument that this driver does not support.</summary>
    ArgumentUnsupported = 74,

    StorageProbeFailed = 75,
    StoragePoolBuilt = 76,
    SnapshotRevertRisky = 77,

    /// <summary>Aborted, by us or by somebody else.</summary>
    OperationAborted = 78,

    AuthCancelled = 79,

    /// <summary>The metadata element is not present.</summary>
    NoDomainMetadata = 80,

    MigrateUnsafe = 81,
    Overflow = 82,

    /// <summary>A block copy job stands in the way.</summary>
    BlockCopyActive = 83,

    /// <summary>The driver cannot do this.</summary>
    OperationUnsupported = 84,

    Ssh = 85,

    /// <summary>The guest agent does not answer, does not run or is not configured.</summary>
    AgentUnresponsive = 86,

    /// <summary>Already in use.</summary>
    ResourceBusy = 87,

    /// <summary>The connection may not do this.</summary>
    AccessDenied = 88,

    DbusService = 89,
    StorageVolExist = 90,
    CpuIncompatible = 91,
    XmlInvalidSchema = 92,
    MigrateFinishOk = 93,
    AuthUnavailable = 94,
    NoServer = 95,
    NoClient = 96,

    /// <summary>The guest agent answered another question. Deprecated by libvirt.</summary>
    AgentUnsynced = 97,

    Libssh = 98,

    /// <summary>The domain has no such device.</summary>
    DeviceMissing = 99,

    InvalidNwfilterBinding = 100,
    NoNwfilterBinding = 101,
    InvalidDomainCheckpoint = 102,
    NoDomainCheckpoint = 103,

    /// <summary>The domain has no backup job.</summary>
    NoDomainBackup = 104,

    InvalidNetworkPort = 105,
    NetworkPortExist = 106,
    NoNetworkPort = 107,
    NoHostname = 108,

    /// <summary>The checkpoint cannot be used.</summary>
    CheckpointInconsistent = 109,

    MultipleDomains = 110,
}
