using SnapshotApi.Libvirt.Interop;
using static SnapshotApi.Libvirt.Interop.NativeMethods;

namespace SnapshotApi.Libvirt;

/// <content>Starting, stopping, saving and undefining.</content>
public sealed unsafe partial class LibvirtDomain
{
    /// <summary>
    /// Saves the guest's memory to a file that libvirt keeps, and ends its process. Blocks until the file is written: seconds to
    /// minutes.
    /// </summary>
    public void ManagedSave(SaveFlags flags = SaveFlags.None)
        => NativeCheck.NotNegative(virDomainManagedSave(_handle, (uint)flags), nameof(virDomainManagedSave));

    /// <summary>Discards the managed save image, and with it the guest's memory.</summary>
    public void ManagedSaveRemove()
        => NativeCheck.NotNegative(virDomainManagedSaveRemove(_handle, 0), nameof(virDomainManagedSaveRemove));

    /// <summary>Starts the domain, from its managed save image if it has one.</summary>
    public void Create(CreateFlags flags = CreateFlags.None)
        => NativeCheck.NotNegative(virDomainCreateWithFlags(_handle, (uint)flags), nameof(virDomainCreateWithFlags));

    /// <summary>Stops the CPUs.</summary>
    public void Suspend() => NativeCheck.NotNegative(virDomainSuspend(_handle), nameof(virDomainSuspend));

    /// <summary>Lets the CPUs run.</summary>
    public void Resume() => NativeCheck.NotNegative(virDomainResume(_handle), nameof(virDomainResume));

    /// <summary>Asks the guest to shut down; does not wait for it.</summary>
    public void Shutdown(ShutdownFlags flags = ShutdownFlags.None)
        => NativeCheck.NotNegative(virDomainShutdownFlags(_handle, (uint)flags), nameof(virDomainShutdownFlags));

    /// <summary>Asks the guest to reboot; does not wait for it.</summary>
    public void Reboot(ShutdownFlags flags = ShutdownFlags.None)
        => NativeCheck.NotNegative(virDomainReboot(_handle, (uint)flags), nameof(virDomainReboot));

    /// <summary>Ends the process, as pulling the plug does.</summary>
    public void Destroy(DestroyFlags flags = DestroyFlags.None)
        => NativeCheck.NotNegative(virDomainDestroyFlags(_handle, (uint)flags), nameof(virDomainDestroyFlags));

    /// <summary>Removes the definition; an active domain goes on as a transient one.</summary>
    public void Undefine(UndefineFlags flags = UndefineFlags.None)
        => NativeCheck.NotNegative(virDomainUndefineFlags(_handle, (uint)flags), nameof(virDomainUndefineFlags));
}

/// <summary><c>virDomainCreateFlags</c>: how a domain is started.</summary>
[Flags]
public enum CreateFlags : uint
{
    /// <summary>No flag.</summary>
    None = 0,

    /// <summary>Leave the CPUs stopped.</summary>
    Paused = 1u << 0,

    /// <summary>Destroy it when this connection closes.</summary>
    AutoDestroy = 1u << 1,

    /// <summary>Read a managed save image without the page cache.</summary>
    BypassCache = 1u << 2,

    /// <summary>Boot afresh and discard a managed save image.</summary>
    ForceBoot = 1u << 3,

    /// <summary>Check the XML against the schema.</summary>
    Validate = 1u << 4,

    /// <summary>Start with NVRAM from its template. libvirt >= 8.1.0.</summary>
    ResetNvram = 1u << 5,
}

/// <summary><c>virDomainDefineFlags</c>.</summary>
[Flags]
public enum DefineFlags : uint
{
    /// <summary>No flag.</summary>
    None = 0,

    /// <summary>Check the XML against the schema.</summary>
    Validate = 1u << 0,
}

/// <summary><c>virDomainDestroyFlagsValues</c>.</summary>
[Flags]
public enum DestroyFlags : uint
{
    /// <summary>No flag.</summary>
    None = 0,

    /// <summary>Send SIGTERM only; fail rather than kill.</summary>
    Graceful = 1u << 0,

    /// <summary>Remove the log of the domain. libvirt >= 8.3.0.</summary>
    RemoveLogs = 1u << 1,
}

/// <summary><c>virDomainSaveRestoreFlags</c>, as far as managed save takes them.</summary>
[Flags]
public enum SaveFlags : uint
{
    /// <summary>No flag.</summary>
    None = 0,

    /// <summary>Write the image without the page cache.</summary>
    BypassCache = 1u << 0,

    /// <summary>Start it running next time, whatever it is now.</summary>
    Running = 1u << 1,

    /// <summary>Start it paused next time, whatever it is now.</summary>
    Paused = 1u << 2,
}

/// <summary><c>virDomainShutdownFlagValues</c> and <c>virDomainRebootFlagValues</c>, which are alike: by which way the guest is asked.</summary>
[Flags]
public enum ShutdownFlags : uint
{
    /// <summary>No flag.</summary>
    None = 0,

    /// <summary>The ACPI power button.</summary>
    AcpiPowerButton = 1u << 0,

    /// <summary>The guest agent.</summary>
    GuestAgent = 1u << 1,

    /// <summary>The init control of a container.</summary>
    InitControl = 1u << 2,

    /// <summary>A signal to init of a container.</summary>
    Signal = 1u << 3,

    /// <summary>Paravirtualised control.</summary>
    Paravirt = 1u << 4,
}

/// <summary><c>virDomainUndefineFlagsValues</c>: what goes with the definition, and what stays.</summary>
[Flags]
public enum UndefineFlags : uint
{
    /// <summary>No flag.</summary>
    None = 0,

    /// <summary>Remove the managed save image too.</summary>
    ManagedSave = 1u << 0,

    /// <summary>Forget the snapshots; they stay in the images. Only when inactive.</summary>
    SnapshotsMetadata = 1u << 1,

    /// <summary>Remove the NVRAM file.</summary>
    Nvram = 1u << 2,

    /// <summary>Keep the NVRAM file.</summary>
    KeepNvram = 1u << 3,

    /// <summary>Forget the checkpoints; the bitmaps stay in the images. Only when inactive.</summary>
    CheckpointsMetadata = 1u << 4,

    /// <summary>Remove the TPM state. libvirt >= 8.9.0.</summary>
    Tpm = 1u << 5,

    /// <summary>Keep the TPM state. libvirt >= 8.9.0.</summary>
    KeepTpm = 1u << 6,
}
