using SnapshotApi.Captures;
using SnapshotApi.Hypervisor;
using SnapshotApi.Images;

namespace SnapshotApi.Jobs;

/// <summary>What a check says to operators and users: what is wrong, in libvirt's words, and the cure.</summary>
internal static class ProofWords
{
    private const string Again = "then run 'snapshotctl node check'";

    private const string OtherCapture = "mode auto takes another capture; "
        + "run 'snapshotctl node check' after an upgrade of QEMU or libvirt";

    /// <summary>The capture has ended the QEMU of its canary.</summary>
    /// <param name="words">QEMU's, or libvirt's.</param>
    public static CaptureProof OfDeath(CaptureKind capture, GuestShape shape, string words) =>
        new(capture, shape, ProofOutcome.Failed, $"QEMU of a test guest ended in it: {words}", OtherCapture)
        {
            IsLasting = true,
        };

    /// <summary>The capture has done what it must not do.</summary>
    public static CaptureProof OfWrong(CaptureKind capture, GuestShape shape, string what) =>
        new(capture, shape, ProofOutcome.Failed, what, OtherCapture) { IsLasting = true };

    /// <summary>The capture has failed, and its canary lives.</summary>
    public static CaptureProof OfFailure(CaptureKind capture, GuestShape shape, Exception e, TimeSpan limit)
    {
        string reason = e is OperationCanceledException
            ? $"it did not end on a test guest within {limit.TotalSeconds:0} s"
            : $"it failed on a test guest: {e.Message}";

        // What depends on the moment, or is found out for each real guest, too, says nothing of the capture.
        ProofOutcome outcome = e is SnapshotException
        {
            Code: SnapshotErrorCode.NoSpace or SnapshotErrorCode.HypervisorUnavailable
            or SnapshotErrorCode.StateConflict or SnapshotErrorCode.ServerBusy or SnapshotErrorCode.ServerNotFound,
        }
            ? ProofOutcome.Unknown
            : ProofOutcome.Failed;
        return new CaptureProof(capture, shape, outcome, reason, CureOf(e));
    }

    /// <summary>No canary could be made.</summary>
    /// <param name="limit">How long a whole check may take.</param>
    public static (string Reason, string Cure) OfSetUp(Exception e, TimeSpan limit) => e switch
    {
        SnapshotException => ($"no test guest can be started: {e.Message}", CureOf(e)),
        OperationCanceledException => (
            $"the check did not end within {limit.TotalMinutes:0} minutes",
            "see that libvirtd answers in time; the check is repeated"),
        _ => ("the check itself failed unexpectedly", $"see the node's log, {Again}"),
    };

    private static string CureOf(Exception e) => e switch
    {
        SnapshotException { Code: SnapshotErrorCode.NoSpace } => $"free space in Node:WorkDirectory, {Again}",
        SnapshotException { Code: SnapshotErrorCode.HypervisorUnavailable } =>
            "see that libvirtd runs; the check is repeated when it answers",
        SnapshotException { Code: SnapshotErrorCode.ToolFailed } or SnapshotException
        {
            Code: SnapshotErrorCode.UnsupportedDisk, InnerException: SnapshotException,
        } => $"install qemu-utils (qemu-img and qemu-nbd), {Again}",
        _ when Says(e, "annot allocate memory") || Says(e, "cannot set up guest memory") =>
            $"free 100 MiB of memory on the node, {Again}",
        SnapshotException { IsCaptureDenied: true } => $"look for DENIED in the kernel's log, and allow it, {Again}",
        _ when Says(e, "ermission denied") =>
            "let QEMU's user pass through every directory on the way to Node:WorkDirectory, and look for DENIED in "
                + $"the kernel's log, {Again}",
        ImageCopyException or OperationCanceledException => OtherCapture,
        _ => $"see the node's log, mend the cause, {Again}",
    };

    // libvirt's own words are in the message, or below.
    private static bool Says(Exception e, string words) =>
        e.Message.Contains(words, StringComparison.OrdinalIgnoreCase)
        || (e.InnerException is { } inner && Says(inner, words));
}
