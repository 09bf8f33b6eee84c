using System.Runtime.InteropServices;
using SnapshotApi.Libvirt.Interop;
using static SnapshotApi.Libvirt.Interop.NativeMethods;

namespace SnapshotApi.Libvirt;

/// <summary>
/// A connection to a hypervisor. Thread-safe. Every method blocks as long as the daemon or the guest takes (call off
/// the thread pool) and throws <see cref="LibvirtException"/> when the call fails. The caller disposes it; its domains
/// stay usable until they are disposed. See https://libvirt.org/html/libvirt-libvirt-host.html
/// </summary>
public sealed unsafe partial class LibvirtConnection : IDisposable
{
    // virSecretUsageType, in the words of <secret type=''>.
    private static readonly string[] SecretUsages = ["none", "passphrase", "ceph", "iscsi", "tls", "vtpm"];

    // Seconds between probes, and how many go unanswered before the connection is closed: a daemon that hangs is given
    // up after 20 s. Smaller: a busy host drops connections; larger: a hang is noticed late.
    private const int KeepAliveIntervalSeconds = 5;
    private const uint KeepAliveCount = 3;

    private readonly ConnectHandle _handle;
    private volatile bool _closeNotified;

    private LibvirtConnection(ConnectHandle handle) => _handle = handle;

    /// <summary>It ended without being disposed. Raised once, on the event loop's thread, by most drivers.</summary>
    public event Action<ConnectionCloseReason>? Closed;

    /// <summary>Neither side has closed it. Does not ask the daemon.</summary>
    public bool IsAlive
    {
        get
        {
            ObjectDisposedException.ThrowIf(_handle.IsClosed, this);
            return !_closeNotified && virConnectIsAlive(_handle) == 1;
        }
    }

    /// <summary>Opens a connection and starts the event loop. Takes milliseconds for a local URI.</summary>
    /// <param name="uri">For example <c>qemu:///system</c>.</param>
    /// <param name="readOnly">Nothing can be changed through the connection.</param>
    /// <exception cref="LibvirtException">The daemon can't be reached or refuses, or the URI is none.</exception>
    public static LibvirtConnection Open(string uri, bool readOnly = false)
    {
        ArgumentException.ThrowIfNullOrEmpty(uri);
        LibvirtEventLoop.EnsureStarted();

        ConnectHandle handle = readOnly
            ? NativeCheck.Valid(virConnectOpenReadOnly(uri))
            : NativeCheck.Valid(virConnectOpen(uri));
        LibvirtConnection connection = new(handle);
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
    public string GetDriverName()
    {
        byte* name = virConnectGetType(_handle);
        return name is null ? throw NativeCheck.LastError(nameof(virConnectGetType)) : NativeCheck.BorrowedText(name);
    }

    /// <summary>Version of the hypervisor, for example of QEMU.</summary>
    public Version GetHypervisorVersion()
    {
        NativeCheck.NotNegative(virConnectGetVersion(_handle, out CULong version));
        return ToVersion(version);
    }

    /// <summary>Version of the daemon.</summary>
    public Version GetLibvirtVersion()
    {
        NativeCheck.NotNegative(virConnectGetLibVersion(_handle, out CULong version));
        return ToVersion(version);
    }

    /// <summary>What domains of a kind may have; null: the default. https://libvirt.org/formatdomaincaps.html</summary>
    public string GetDomainCapabilitiesXml(
        string? emulator = null, string? architecture = null, string? machine = null, string? virtType = null)
        => NativeCheck.OwnedText(
            virConnectGetDomainCapabilities(_handle, emulator, architecture, machine, virtType, 0));

    /// <summary>What the host and its hypervisor can do. https://libvirt.org/formatcaps.html</summary>
    public string GetCapabilitiesXml() => NativeCheck.OwnedText(virConnectGetCapabilities(_handle));

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
            return NativeCheck.NotNegative(virNetworkIsActive(network)) == 1;
        }
        finally
        {
            _ = virNetworkFree(network);
        }
    }

    /// <summary>There is such a secret; true also of a daemon that knows no secrets.</summary>
    /// <param name="name">Its UUID, or <c>type usage</c>, as the XML of a domain names it.</param>
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

    /// <summary>Removes every subscription of a lost connection, but leaves the handle to its users.</summary>
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
            // A driver inside this process has nothing to probe.
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
    public IReadOnlyList<LibvirtDomain> ListDomains()
    {
        int count = NativeCheck.NotNegative(virConnectListAllDomains(_handle, out nint* array, 0));
        // First every handle is owned, then it is asked for its name: nothing leaks if that fails.
        DomainHandle[] handles = new DomainHandle[count];
        for (int index = 0; index < count; index++)
        {
            handles[index] = new DomainHandle(array[index]);
        }

        NativeMemory.Free(array);
        return Array.ConvertAll(handles, handle => new LibvirtDomain(handle));
    }

    /// <exception cref="LibvirtException"><see cref="LibvirtErrorCode.NoDomain"/>: there is none.</exception>
    public LibvirtDomain LookupByUuid(Guid uuid)
    {
        Span<byte> bytes = stackalloc byte[VIR_UUID_BUFLEN];
        uuid.TryWriteBytes(bytes, bigEndian: true, out _);
        fixed (byte* buffer = bytes)
        {
            return new LibvirtDomain(NativeCheck.Valid(virDomainLookupByUUID(_handle, buffer)));
        }
    }

    /// <exception cref="LibvirtException"><see cref="LibvirtErrorCode.NoDomain"/>: there is none.</exception>
    public LibvirtDomain LookupByName(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return new LibvirtDomain(NativeCheck.Valid(virDomainLookupByName(_handle, name)));
    }

    /// <summary>Makes or changes the definition of a domain; a transient one that runs becomes persistent.</summary>
    public LibvirtDomain DefineXml(string xml)
    {
        ArgumentNullException.ThrowIfNull(xml);
        return new LibvirtDomain(NativeCheck.Valid(virDomainDefineXMLFlags(_handle, xml, 0)));
    }

    /// <summary>Starts a transient domain.</summary>
    public LibvirtDomain CreateXml(string xml)
    {
        ArgumentNullException.ThrowIfNull(xml);
        return new LibvirtDomain(NativeCheck.Valid(virDomainCreateXML(_handle, xml, 0)));
    }
}
