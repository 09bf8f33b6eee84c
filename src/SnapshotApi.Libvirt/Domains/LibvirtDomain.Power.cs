using SnapshotApi.Libvirt.Interop;
using static SnapshotApi.Libvirt.Interop.NativeMethods;

namespace SnapshotApi.Libvirt;

/// <content>Starting, stopping, saving, undefining, and the guest agent.</content>
public sealed unsafe partial class LibvirtDomain
{
    /// <summary>Saves the guest's memory to a file of libvirt's and ends its process: seconds to minutes.</summary>
    public void ManagedSave(SaveFlags flags = SaveFlags.None)
        => NativeCheck.NotNegative(virDomainManagedSave(_handle, (uint)flags));

    /// <summary>The live XML that a managed save image holds; null when there is none. libvirt >= 3.7.0.</summary>
    public string? GetManagedSaveXml()
    {
        byte* text = virDomainManagedSaveGetXMLDesc(_handle, 0);
        if (text is not null)
        {
            return NativeCheck.OwnedText(text, nameof(virDomainManagedSaveGetXMLDesc));
        }

        LibvirtException error = NativeCheck.LastError(nameof(virDomainManagedSaveGetXMLDesc));
        return error.Code is LibvirtErrorCode.OperationInvalid ? null : throw error;
    }

    /// <summary>Starts the domain, from its managed save image if it has one.</summary>
    public void Create(CreateFlags flags = CreateFlags.None)
        => NativeCheck.NotNegative(virDomainCreateWithFlags(_handle, (uint)flags));

    public void Suspend() => NativeCheck.NotNegative(virDomainSuspend(_handle));

    public void Resume() => NativeCheck.NotNegative(virDomainResume(_handle));

    /// <summary>Ends the process, as pulling the plug does.</summary>
    public void Destroy() => NativeCheck.NotNegative(virDomainDestroyFlags(_handle, 0));

    /// <summary>Removes the definition; an active domain goes on as a transient one.</summary>
    public void Undefine(UndefineFlags flags = UndefineFlags.None)
        => NativeCheck.NotNegative(virDomainUndefineFlags(_handle, (uint)flags));

    /// <summary>Sends a command to QEMU's guest agent and returns its answer, both JSON.</summary>
    /// <param name="timeoutSeconds">Seconds; -2: for ever, -1: libvirt's default, 0: do not wait.</param>
    public string AgentCommand(string command, int timeoutSeconds)
    {
        ArgumentException.ThrowIfNullOrEmpty(command);
        return NativeCheck.OwnedText(virDomainQemuAgentCommand(_handle, command, timeoutSeconds, 0));
    }
}

/// <summary><c>virDomainCreateFlags</c>: how a domain is started.</summary>
[Flags]
public enum CreateFlags : uint
{
    None = 0,
    /// <summary>Leave the CPUs stopped.</summary>
    Paused = 1u << 0,
}

/// <summary><c>virDomainSaveRestoreFlags</c>, as far as managed save takes them.</summary>
[Flags]
public enum SaveFlags : uint
{
    None = 0,
    /// <summary>Start it running next time, whatever it is now.</summary>
    Running = 1u << 1,
    /// <summary>Start it paused next time, whatever it is now.</summary>
    Paused = 1u << 2,
}

/// <summary><c>virDomainUndefineFlagsValues</c>: what goes with the definition, and what stays.</summary>
[Flags]
public enum UndefineFlags : uint
{
    None = 0,
    /// <summary>With its managed save image.</summary>
    ManagedSave = 1u << 0,
    /// <summary>With what libvirt knows of its snapshots.</summary>
    SnapshotsMetadata = 1u << 1,
    /// <summary>With its NVRAM file.</summary>
    Nvram = 1u << 2,
    /// <summary>Keep the NVRAM file.</summary>
    KeepNvram = 1u << 3,
    /// <summary>With what libvirt knows of its checkpoints. libvirt >= 5.6.0.</summary>
    CheckpointsMetadata = 1u << 4,
    /// <summary>Keep the TPM state. libvirt >= 8.9.0.</summary>
    KeepTpm = 1u << 6,
}
