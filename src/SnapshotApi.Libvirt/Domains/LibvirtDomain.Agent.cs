using SnapshotApi.Libvirt.Interop;
using static SnapshotApi.Libvirt.Interop.NativeMethods;

namespace SnapshotApi.Libvirt;

/// <content>What the agent in the guest does. A call waits for the guest no longer than its time-out.</content>
public sealed unsafe partial class LibvirtDomain
{
    /// <summary>Sends a command to QEMU's guest agent and returns its answer, both JSON.</summary>
    /// <param name="command">For example <c>{"execute":"guest-fsfreeze-status"}</c>.</param>
    /// <param name="timeoutSeconds">Seconds; -2: for ever, -1: libvirt's default, 0: do not wait.</param>
    public string AgentCommand(string command, int timeoutSeconds)
    {
        ArgumentException.ThrowIfNullOrEmpty(command);
        return NativeCheck.OwnedText(
            virDomainQemuAgentCommand(_handle, command, timeoutSeconds, 0), nameof(virDomainQemuAgentCommand));
    }
}
