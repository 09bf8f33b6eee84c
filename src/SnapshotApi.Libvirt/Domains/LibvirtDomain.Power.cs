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
