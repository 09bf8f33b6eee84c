using System.Runtime.InteropServices;
using SnapshotApi.Libvirt.Interop;
using static SnapshotApi.Libvirt.Interop.NativeMethods;

namespace SnapshotApi.Libvirt;

/// <content>
/// What the agent in the guest does. These calls wait for the guest, by default for ever: see
/// <see cref="AgentSetResponseTimeout"/>.
/// </content>
public sealed unsafe partial class LibvirtDomain
{
    /// <summary>Freezes file systems of the guest; returns how many. Thaw also when it failed: some may be frozen.</summary>
    /// <param name="mountPoints">Paths in the guest; null: all.</param>
    public int FsFreeze(IReadOnlyCollection<string>? mountPoints = null)
        => NativeCheck.NotNegative(
            virDomainFSFreeze(_handle, mountPoints?.ToArray(), (uint)(mountPoints?.Count ?? 0), 0), nameof(virDomainFSFreeze));

    /// <summary>Thaws every file system that was frozen; returns how many.</summary>
    public int FsThaw() => NativeCheck.NotNegative(virDomainFSThaw(_handle, null, 0, 0), nameof(virDomainFSThaw));

    /// <summary>File systems mounted in the guest.</summary>
    public IReadOnlyList<GuestFileSystem> GetFsInfo()
    {
        int count = NativeCheck.NotNegative(
            virDomainGetFSInfo(_handle, out virDomainFSInfo** array, 0), nameof(virDomainGetFSInfo));
        try
        {
            GuestFileSystem[] fileSystems = new GuestFileSystem[count];
            for (int index = 0; index < count; index++)
            {
                fileSystems[index] = Read(array[index]);
            }

            return fileSystems;
        }
        finally
        {
            for (int index = 0; index < count; index++)
            {
                virDomainFSInfoFree(array[index]);
            }

            NativeMemory.Free(array);
        }
    }

    /// <summary>
    /// Limits every later call that waits for the agent of this domain, from whatever client, until the daemon restarts.
    /// libvirt >= 5.10.0.
    /// </summary>
    /// <param name="timeoutSeconds">Seconds; -2: for ever, -1: libvirt's default (5 s for most, for ever for freeze), 0: do not wait.</param>
    public void AgentSetResponseTimeout(int timeoutSeconds)
        => NativeCheck.NotNegative(
            virDomainAgentSetResponseTimeout(_handle, timeoutSeconds, 0), nameof(virDomainAgentSetResponseTimeout));

    /// <summary>Sends a command to QEMU's guest agent and returns its answer, both JSON.</summary>
    /// <param name="command">For example <c>{"execute":"guest-fsfreeze-status"}</c>.</param>
    /// <param name="timeoutSeconds">Seconds; -2: for ever, -1: libvirt's default, 0: do not wait.</param>
    public string AgentCommand(string command, int timeoutSeconds)
    {
        ArgumentException.ThrowIfNullOrEmpty(command);
        return NativeCheck.OwnedText(
            virDomainQemuAgentCommand(_handle, command, timeoutSeconds, 0), nameof(virDomainQemuAgentCommand));
    }

    private static GuestFileSystem Read(virDomainFSInfo* info)
    {
        string[] targets = new string[info->ndevAlias];
        for (int index = 0; index < targets.Length; index++)
        {
            targets[index] = NativeCheck.BorrowedText(info->devAlias[index]);
        }

        return new GuestFileSystem(
            NativeCheck.BorrowedText(info->mountpoint),
            NativeCheck.BorrowedText(info->name),
            NativeCheck.BorrowedText(info->fstype),
            targets);
    }
}

/// <summary>A file system that is mounted in the guest.</summary>
/// <param name="MountPoint">Path in the guest.</param>
/// <param name="DeviceName">Name of the device in the guest.</param>
/// <param name="Type">For example <c>ext4</c>.</param>
/// <param name="DiskTargets">Disks it lies on, for example <c>vda</c>.</param>
public sealed record GuestFileSystem(string MountPoint, string DeviceName, string Type, IReadOnlyList<string> DiskTargets);
