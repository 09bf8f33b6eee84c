using SnapshotApi.Captures;
using SnapshotApi.Hypervisor;

namespace SnapshotApi.Snapshots;

/// <summary>Which capture is taken of disks, and why: a part of the plan.</summary>
/// <param name="Server">The server, described.</param>
/// <param name="Disks">Those to be captured.</param>
/// <param name="Node">What its node can do.</param>
/// <param name="Check">What is known of the node's captures; null: nothing.</param>
/// <param name="Request">What the user asks for.</param>
internal sealed record CaptureChoice(
    ServerDescription Server, IReadOnlyList<DiskDescription> Disks, NodeCapabilities Node, NodeCheck? Check,
    SnapshotRequest Request)
{
    /// <summary>Chooses.</summary>
    /// <exception cref="SnapshotException">state_conflict, unsupported_request.</exception>
    public static (CaptureKind Capture, string Reason) Choose(
        ServerDescription server, IReadOnlyList<DiskDescription> disks, NodeCapabilities node, NodeCheck? check,
        SnapshotRequest request) => new CaptureChoice(server, disks, node, check, request).Choose();

    private (CaptureKind Capture, string Reason) Choose()
    {
        if (!Server.IsActive)
        {
            // Nothing can happen to a guest that is off.
            string state = Server.PowerState == ServerPowerState.Saved ? "saved" : "shut off";
            return (CaptureKind.Cold, $"the server is {state}: its disks have no writer");
        }

        return Request.Mode switch
        {
            SnapshotMode.Cold => (RequireCold(), "asked for"),
            SnapshotMode.Mirror => (RequireMirror(), "asked for"),
            SnapshotMode.Backup => RequireBackup(),
            SnapshotMode.Live => ChooseLive() ?? throw Unsupported(NoLiveCapture()),
            _ => ChooseLive() ?? (RequireCold(), NoLiveCapture()),
        };
    }

    private string NoLiveCapture()
    {
        string? backup = Node.CanBackup ? BackupObstacle() : null;
        string? mirror = CanMirror ? Disabled(CaptureKind.Mirror) : null;
        return (backup, mirror) switch
        {
            (null, null) =>
                $"no live capture is possible: QEMU {Node.HypervisorVersion} and libvirt {Node.LibvirtVersion} have "
                    + "neither backup nor block copy",
            (_, null) => $"no live capture is possible: {backup}, and the mirror can't be had",
            (null, _) => $"no live capture is possible: {mirror}",
            _ => $"no live capture is possible: {backup}; {mirror}",
        };
    }

    private (CaptureKind Capture, string Reason)? ChooseLive()
    {
        RequireAgentForQuiesce();
        string? obstacle = BackupObstacle();
        if (Node.CanBackup && !Request.BlockRebase && obstacle is null)
        {
            return (
                CaptureKind.Backup,
                $"live, and QEMU {Node.HypervisorVersion} and libvirt {Node.LibvirtVersion} have the backup job");
        }

        if (!CanMirror
            || Disabled(CaptureKind.Mirror) is not null
            || (obstacle is not null && Disks.Any(IsOnlyForBackup)))
        {
            return null;
        }

        return (CaptureKind.Mirror, Request.BlockRebase
            ? "live, and blockRebase was asked for"
            : obstacle is not null && Node.CanBackup
            ? $"live, but {obstacle}"
            : $"live, and QEMU {Node.HypervisorVersion} or libvirt {Node.LibvirtVersion} lacks the backup job");
    }

    // A cold capture begins only if the guest can start again.
    private CaptureKind RequireCold()
    {
        if (!Server.IsPersistent)
        {
            throw Unsupported(
                "a running transient server can't be saved by libvirt: only mirror and backup are possible");
        }

        if ((Server.SaveObstacle ?? Server.PauseObstacle ?? Server.StartObstacle) is { } obstacle)
        {
            throw new SnapshotException(
                SnapshotErrorCode.StateConflict,
                $"server {Server.Name} can't be saved and started again: {obstacle}; "
                + "mirror and backup may be possible");
        }

        return Disabled(CaptureKind.Cold) is { } reason ? throw Unsupported(reason) : CaptureKind.Cold;
    }

    private CaptureKind RequireMirror()
    {
        RequireAgentForQuiesce();
        if (!CanMirror)
        {
            throw Unsupported($"QEMU {Node.HypervisorVersion} or libvirt {Node.LibvirtVersion} has no block copy");
        }

        return Disabled(CaptureKind.Mirror) is { } reason ? throw Unsupported(reason) : CaptureKind.Mirror;
    }

    private (CaptureKind Capture, string Reason) RequireBackup()
    {
        RequireAgentForQuiesce();
        if (!Node.CanBackup)
        {
            throw Unsupported(
                "the backup job needs QEMU 4.2 and libvirt 6.0; "
                + $"the node has {Node.HypervisorVersion} and {Node.LibvirtVersion}");
        }

        if (Disabled(CaptureKind.Backup) is { } reason)
        {
            throw Unsupported(reason);
        }

        if (ThreadObstacle() is not { } thread)
        {
            return (CaptureKind.Backup, "asked for");
        }

        return CanMirror && Disabled(CaptureKind.Mirror) is null && !Disks.Any(IsOnlyForBackup)
            ? (CaptureKind.Mirror, $"backup was asked for, but {thread}")
            : throw Unsupported($"{thread}, and the mirror can't be had");
    }

    // Null: nothing that canaries have shown speaks against the capture.
    private string? Disabled(CaptureKind capture) => Check?.FindObstacle(capture, Disks)?.Describe();

    private string? BackupObstacle() => Disabled(CaptureKind.Backup) ?? ThreadObstacle();

    // QEMU 7.2.22 of Debian 12 ends by an assertion when an NBD client leaves an export that an I/O thread serves; the
    // killed service leaves just like that. Which versions are good can't be told by their numbers: distributions
    // patch. A canary tells.
    private string? ThreadObstacle() =>
        Disks.FirstOrDefault(d => d.HasIoThread) is { } disk && Check?.HasProved(CaptureKind.Backup, Disks) != true
            ? $"disk {disk.Target} has an I/O thread, in which a QEMU that is not known to be good may crash when the "
                + "export of a backup is closed"
            : null;

    private static bool IsOnlyForBackup(DiskDescription disk) =>
        disk.Layers.Any(l => l.SourceType is not ("file" or "block"));

    // Without TRANSIENT_JOB a persistent server is undefined for the moment that starting the block job takes.
    private bool CanMirror => Node.CanBlockCopyTransient || Node.CanBlockRebase;

    private void RequireAgentForQuiesce()
    {
        if (Request.Quiesce == QuiesceMode.Required && !Server.HasAgentChannel)
        {
            throw Unsupported($"quiesce is required, but server {Server.Name} has no guest-agent channel");
        }
    }

    private static SnapshotException Unsupported(string message) => new(SnapshotErrorCode.UnsupportedRequest, message);
}
