using SnapshotApi.Libvirt.Interop;
using static SnapshotApi.Libvirt.Interop.NativeMethods;

namespace SnapshotApi.Libvirt;

/// <summary>
/// A reference to a domain of a connection. It can outlive the domain: then calls fail with
/// <see cref="LibvirtErrorCode.NoDomain"/>. Thread-safe. Every member but <see cref="Uuid"/> and <see cref="Name"/>
/// asks the daemon, blocks (call off the thread pool), and throws <see cref="LibvirtException"/> when the call fails.
/// The caller disposes it, which does nothing to the domain.
/// See https://libvirt.org/html/libvirt-libvirt-domain.html
/// </summary>
public sealed unsafe partial class LibvirtDomain : IDisposable
{
    private readonly DomainHandle _handle;

    /// <summary>Takes over the handle, also when it fails.</summary>
    internal LibvirtDomain(DomainHandle handle)
    {
        _handle = handle;
        try
        {
            Uuid = ReadUuid();
            Name = ReadName();
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    public Guid Uuid { get; }

    /// <summary>Name when it was looked up.</summary>
    public string Name { get; }

    /// <summary>The domain has a definition that outlives its process.</summary>
    public bool IsPersistent => NativeCheck.NotNegative(virDomainIsPersistent(_handle)) == 1;

    /// <summary>The domain has a process.</summary>
    public bool IsActive => NativeCheck.NotNegative(virDomainIsActive(_handle)) == 1;

    /// <summary>The domain has a managed save image, which its next start consumes.</summary>
    public bool HasManagedSave
        => NativeCheck.NotNegative(virDomainHasManagedSaveImage(_handle, 0)) == 1;

    /// <summary>State, and why: a <see cref="DomainPausedReason"/> or <see cref="DomainShutOffReason"/>.</summary>
    public (DomainState State, int Reason) GetState()
    {
        NativeCheck.NotNegative(virDomainGetState(_handle, out int state, out int reason, 0));
        return ((DomainState)state, reason);
    }

    /// <summary>What the control channel of an active domain is doing. Never waits for QEMU.</summary>
    public DomainControl GetControl()
    {
        NativeCheck.NotNegative(virDomainGetControlInfo(_handle, out virDomainControlInfo info, 0));
        return new DomainControl((DomainControlState)info.state, TimeSpan.FromMilliseconds(info.stateTime));
    }

    /// <summary>libvirt starts the domain with the host.</summary>
    public bool IsAutostart
    {
        get
        {
            NativeCheck.NotNegative(virDomainGetAutostart(_handle, out int autostart));
            return autostart != 0;
        }
    }

    /// <summary>Only of a persistent domain.</summary>
    public void SetAutostart(bool isAutostart) =>
        NativeCheck.NotNegative(virDomainSetAutostart(_handle, isAutostart ? 1 : 0));

    /// <summary>The live description of an active domain, unless the flags ask for another.</summary>
    public string GetXml(DomainXmlFlags flags = DomainXmlFlags.None)
        => NativeCheck.OwnedText(virDomainGetXMLDesc(_handle, (uint)flags));

    public void Dispose() => _handle.Dispose();

    private Guid ReadUuid()
    {
        Span<byte> uuid = stackalloc byte[VIR_UUID_BUFLEN];
        fixed (byte* buffer = uuid)
        {
            NativeCheck.NotNegative(virDomainGetUUID(_handle, buffer));
        }

        return new Guid(uuid, bigEndian: true);
    }

    private string ReadName()
    {
        byte* name = virDomainGetName(_handle);
        return name is null ? throw NativeCheck.LastError(nameof(virDomainGetName)) : NativeCheck.BorrowedText(name);
    }
}

/// <summary>What libvirt's control channel to a guest's hypervisor process is doing.</summary>
/// <param name="Since">How long it has been in that state; zero when it is free.</param>
public readonly record struct DomainControl(DomainControlState State, TimeSpan Since);

/// <summary><c>virDomainControlState</c>.</summary>
public enum DomainControlState
{
    /// <summary>A command can be sent.</summary>
    Ok = 0,
    /// <summary>A job of libvirt's is at work on the domain; others wait for it.</summary>
    Job = 1,
    /// <summary>A command was sent and not answered yet.</summary>
    Occupied = 2,
    /// <summary>The channel is broken.</summary>
    Error = 3,
}

/// <summary><c>virDomainState</c>.</summary>
public enum DomainState
{
    NoState = 0,
    Running = 1,
    /// <summary>Blocked on a resource (Xen).</summary>
    Blocked = 2,
    /// <summary>CPUs stopped, memory held. The reason is a <see cref="DomainPausedReason"/>.</summary>
    Paused = 3,
    ShuttingDown = 4,
    /// <summary>No process. The reason is a <see cref="DomainShutOffReason"/>.</summary>
    ShutOff = 5,
    Crashed = 6,
    /// <summary>Suspended by the power management of the guest.</summary>
    PmSuspended = 7,
}

/// <summary><c>virDomainPausedReason</c>.</summary>
public enum DomainPausedReason
{
    Unknown = 0,
    User = 1,
    Migration = 2,
    Save = 3,
    Dump = 4,
    IoError = 5,
    Watchdog = 6,
    FromSnapshot = 7,
    ShuttingDown = 8,
    Snapshot = 9,
    Crashed = 10,
    StartingUp = 11,
    PostCopy = 12,
    PostCopyFailed = 13,
}

/// <summary><c>virDomainShutoffReason</c>.</summary>
public enum DomainShutOffReason
{
    Unknown = 0,
    ShutDown = 1,
    Destroyed = 2,
    Crashed = 3,
    Migrated = 4,
    Saved = 5,
    Failed = 6,
    FromSnapshot = 7,
    Daemon = 8,
}

/// <summary><c>virDomainXMLFlags</c>: which description.</summary>
[Flags]
public enum DomainXmlFlags : uint
{
    None = 0,
    /// <summary>With secrets. Not on a read-only connection.</summary>
    Secure = 1u << 0,
    /// <summary>As it will be at its next start, not as it is now.</summary>
    Inactive = 1u << 1,
}
