using System.Runtime.InteropServices;
using SnapshotApi.Libvirt.Interop;
using static SnapshotApi.Libvirt.Interop.NativeMethods;

namespace SnapshotApi.Libvirt;

/// <summary>
/// A connection to a hypervisor. Every method blocks, for as long as the daemon or the guest takes: call off the thread pool. It
/// may be used by several threads at once. The caller disposes it; domains that came from it stay usable until they are disposed.
/// See https://libvirt.org/html/libvirt-libvirt-host.html
/// </summary>
public sealed unsafe partial class LibvirtConnection : IDisposable
{
    // virSecretUsageType, as <secret type=''> in the XML of a domain calls them.
    private static readonly string[] SecretUsages = ["none", "passphrase", "ceph", "iscsi", "tls", "vtpm"];

    /// <summary>
    /// Seconds between probes of a silent daemon. With <see cref="KeepAliveCount"/>: a daemon that hangs is given up after 20 s.
    /// Smaller: a busy host drops connections; larger: a hang is noticed late.
    /// </summary>
    private const int KeepAliveIntervalSeconds = 5;

    /// <summary>Probes without an answer before the connection is closed.</summary>
    private const uint KeepAliveCount = 3;

    private readonly ConnectHandle _handle;
    private volatile bool _closeNotified;

    private LibvirtConnection(ConnectHandle handle, string uri, bool isReadOnly)
    {
        _handle = handle;
        Uri = uri;
        IsReadOnly = isReadOnly;
    }

    /// <summary>
    /// The connection ended without being disposed. Raised at most once, on the thread of the event loop: return quickly and make
    /// no libvirt call. Not every driver raises it (<c>test</c> does not).
    /// </summary>
    public event Action<ConnectionCloseReason>? Closed;

    /// <summary>The URI it was opened with.</summary>
    public string Uri { get; }

    /// <summary>Nothing can be changed through it.</summary>
    public bool IsReadOnly { get; }

    /// <summary>The connection has not been closed, locally or by the other side. Does not ask the daemon.</summary>
    public bool IsAlive
    {
        get
        {
            ObjectDisposedException.ThrowIf(_handle.IsClosed, this);
            return !_closeNotified && virConnectIsAlive(_handle) == 1;
        }
    }

    /// <summary>Opens a connection, and with it starts the event loop. Local URIs answer in milliseconds; a remote one may take long.</summary>
    /// <param name="uri">For example <c>qemu:///system</c>.</param>
    /// <param name="readOnly">Ask for a connection that cannot change anything.</param>
    /// <exception cref="LibvirtException">
    /// The daemon cannot be reached (<see cref="LibvirtException.IsConnectionLost"/>), refuses, or the URI is not one.
    /// </exception>
    public static LibvirtConnection Open(string uri, bool readOnly = false)
    {
        ArgumentException.ThrowIfNullOrEmpty(uri);
        LibvirtEventLoop.EnsureStarted();

        ConnectHandle handle = readOnly
            ? NativeCheck.Valid(virConnectOpenReadOnly(uri), nameof(virConnectOpenReadOnly))
            : NativeCheck.Valid(virConnectOpen(uri), nameof(virConnectOpen));
        LibvirtConnection connection = new(handle, uri, readOnly);
        try
        {
            connection.WatchConnection();
            return connection;
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    /// <summary>Name of the driver: <c>QEMU</c>, <c>LXC</c>, <c>Test</c>...</summary>
    /// <exception cref="LibvirtException">The call failed.</exception>
    public string GetDriverName()
    {
        byte* name = virConnectGetType(_handle);
        return name is null ? throw NativeCheck.LastError(nameof(virConnectGetType)) : NativeCheck.BorrowedText(name);
    }

    /// <summary>Version of the hypervisor, for example of QEMU.</summary>
    /// <exception cref="LibvirtException">The call failed.</exception>
    public Version GetHypervisorVersion()
    {
        NativeCheck.NotNegative(virConnectGetVersion(_handle, out CULong version), nameof(virConnectGetVersion));
        return ToVersion(version);
    }

    /// <summary>Version of the daemon.</summary>
    /// <exception cref="LibvirtException">The call failed.</exception>
    public Version GetLibvirtVersion()
    {
        NativeCheck.NotNegative(virConnectGetLibVersion(_handle, out CULong version), nameof(virConnectGetLibVersion));
        return ToVersion(version);
    }

    /// <summary>Host name of the hypervisor's machine.</summary>
    /// <exception cref="LibvirtException">The call failed.</exception>
    public string GetHostName() => NativeCheck.OwnedText(virConnectGetHostname(_handle), nameof(virConnectGetHostname));

    /// <summary>What domains of a kind may have; null arguments take the defaults. See https://libvirt.org/formatdomaincaps.html</summary>
    /// <exception cref="LibvirtException">The call failed.</exception>
    public string GetDomainCapabilitiesXml(
        string? emulator = null, string? architecture = null, string? machine = null, string? virtType = null)
        => NativeCheck.OwnedText(
            virConnectGetDomainCapabilities(_handle, emulator, architecture, machine, virtType, 0),
            nameof(virConnectGetDomainCapabilities));

    /// <summary>A virtual network of that name is defined and active.</summary>
    /// <exception cref="LibvirtException"><see cref="LibvirtErrorCode.NoNetwork"/>: there is none.</exception>
    public bool IsNetworkActive(string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        nint network = virNetworkLookupByName(_handle, name);
        if (network == nint.Zero)
        {
            throw NativeCheck.LastError(nameof(virNetworkLookupByName));
        }

        try
        {
            return NativeCheck.NotNegative(virNetworkIsActive(network), nameof(virNetworkIsActive)) == 1;
        }
        finally
        {
            _ = virNetworkFree(network);
        }
    }

    /// <summary>There is such a secret.</summary>
    /// <param name="name">Its UUID, or <c>type usage</c>, as the XML of a domain names it.</param>
    /// <exception cref="LibvirtException">The call failed; of a daemon without secrets nothing is said.</exception>
    public bool HasSecret(string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        string[] parts = name.Split(' ', 2);
        nint secret = parts.Length == 1
            ? virSecretLookupByUUIDString(_handle, name)
            : virSecretLookupByUsage(_handle, Array.IndexOf(SecretUsages, parts[0]), parts[1]);
        if (secret == nint.Zero)
        {
            LibvirtException error = NativeCheck.LastError(nameof(virSecretLookupByUUIDString));
            return error.Code switch
            {
                LibvirtErrorCode.NoSecret => false,
                LibvirtErrorCode.NoSupport => true,
                _ => throw error,
            };
        }

        _ = virSecretFree(secret);
        return true;
    }

    /// <summary>Removes every subscription and closes the connection.</summary>
    public void Dispose()
    {
        EndRegistrations();
        _handle.Dispose();
    }

    /// <summary>
    /// For a connection that is lost: removes every subscription, but leaves the handle to its users and then to the garbage
    /// collector, so that a call in another thread fails with libvirt's error and not with a disposed object.
    /// </summary>
    internal void Abandon() => EndRegistrations();

    private static Version ToVersion(CULong version)
    {
        // 1,000,000 * major + 1,000 * minor + release
        int number = checked((int)version.Value);
        return new Version(number / 1_000_000, number / 1000 % 1000, number % 1000);
    }

    private void WatchConnection()
    {
        RegisterCloseCallback();
        if (virConnectSetKeepAlive(_handle, KeepAliveIntervalSeconds, KeepAliveCount) < 0)
        {
            LibvirtException error = NativeCheck.LastError(nameof(virConnectSetKeepAlive));
            // A driver that works inside this process has nothing to probe.
            if (error.Code is not LibvirtErrorCode.NoSupport)
            {
                throw error;
            }
        }
    }

    private void OnClosed(ConnectionCloseReason reason)
    {
        _closeNotified = true;
        Closed?.Invoke(reason);
    }

    /// <summary>Lists domains. The caller disposes each of them.</summary>
    /// <exception cref="LibvirtException">The call failed.</exception>
    public IReadOnlyList<LibvirtDomain> ListDomains(ListDomainsFlags flags = ListDomainsFlags.None)
    {
        int count = NativeCheck.NotNegative(
            virConnectListAllDomains(_handle, out nint* array, (uint)flags), nameof(virConnectListAllDomains));
        // First every handle is owned, then it is asked for its name: nothing leaks if that fails.
        DomainHandle[] handles = new DomainHandle[count];
        for (int index = 0; index < count; index++)
        {
            handles[index] = new DomainHandle(array[index]);
        }

        NativeMemory.Free(array);
        return Array.ConvertAll(handles, handle => new LibvirtDomain(handle));
    }

    /// <summary>Finds a domain by its UUID.</summary>
    /// <exception cref="LibvirtException"><see cref="LibvirtErrorCode.NoDomain"/>: there is none.</exception>
    public LibvirtDomain LookupByUuid(Guid uuid)
    {
        Span<byte> bytes = stackalloc byte[VIR_UUID_BUFLEN];
        uuid.TryWriteBytes(bytes, bigEndian: true, out _);
        fixed (byte* buffer = bytes)
        {
            return new LibvirtDomain(NativeCheck.Valid(virDomainLookupByUUID(_handle, buffer), nameof(virDomainLookupByUUID)));
        }
    }

    /// <summary>Finds a domain by its name.</summary>
    /// <exception cref="LibvirtException"><see cref="LibvirtErrorCode.NoDomain"/>: there is none.</exception>
    public LibvirtDomain LookupByName(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return new LibvirtDomain(NativeCheck.Valid(virDomainLookupByName(_handle, name), nameof(virDomainLookupByName)));
    }

    /// <summary>Makes or changes the definition of a domain; a transient one that runs becomes persistent.</summary>
    /// <exception cref="LibvirtException">The XML is not accepted.</exception>
    public LibvirtDomain DefineXml(string xml, DefineFlags flags = DefineFlags.None)
    {
        ArgumentNullException.ThrowIfNull(xml);
        return new LibvirtDomain(
            NativeCheck.Valid(virDomainDefineXMLFlags(_handle, xml, (uint)flags), nameof(virDomainDefineXMLFlags)));
    }

    /// <summary>Starts a transient domain.</summary>
    /// <exception cref="LibvirtException">The XML is not accepted, or the domain does not start.</exception>
    public LibvirtDomain CreateXml(string xml, CreateFlags flags = CreateFlags.None)
    {
        ArgumentNullException.ThrowIfNull(xml);
        return new LibvirtDomain(NativeCheck.Valid(virDomainCreateXML(_handle, xml, (uint)flags), nameof(virDomainCreateXML)));
    }
}

/// <summary><c>virConnectListAllDomainsFlags</c>: filters; those of one pair are alternatives, none of a pair means both.</summary>
[Flags]
public enum ListDomainsFlags : uint
{
    /// <summary>No flag.</summary>
    None = 0,

    /// <summary>Those with a process.</summary>
    Active = 1u << 0,

    /// <summary>Those without.</summary>
    Inactive = 1u << 1,

    /// <summary>Those with a definition.</summary>
    Persistent = 1u << 2,

    /// <summary>Running.</summary>
    Running = 1u << 4,

    /// <summary>Paused.</summary>
    Paused = 1u << 5,

    /// <summary>Shut off.</summary>
    ShutOff = 1u << 6,

    /// <summary>In any other state.</summary>
    Other = 1u << 7,

    /// <summary>With a managed save image.</summary>
    ManagedSave = 1u << 8,
}
