namespace SnapshotApi.Contracts;

/// <summary>A host that runs libvirt and a SnapshotApi process in role <c>node</c>.</summary>
/// <param name="Name">Name of the node.</param>
/// <param name="IsConnected">Its libvirt answered at the last look.</param>
/// <param name="Capabilities">Versions and what they allow; null before libvirt first answered.</param>
/// <param name="ServiceVersion">Version of SnapshotApi there.</param>
/// <param name="WorkFreeBytes">Free bytes where clones, mirrors and scratch files go.</param>
/// <param name="StoreFreeBytes">Free bytes in its directory store.</param>
/// <param name="MaxJobs">How many jobs it runs at once.</param>
/// <param name="RunningJobs">How many run now.</param>
/// <param name="Problems">What needs an operator: clean-up that could not be done yet.</param>
/// <param name="SeenAt">Its last sign of life.</param>
/// <param name="Check">What throw-away guests have shown of its captures; null: nothing is known.</param>
/// <param name="IsDrained">No new jobs are accepted for its servers.</param>
public sealed record Node(
    string Name,
    bool IsConnected,
    NodeAbilities? Capabilities,
    string ServiceVersion,
    long WorkFreeBytes,
    long StoreFreeBytes,
    int MaxJobs,
    int RunningJobs,
    IReadOnlyList<string> Problems,
    DateTimeOffset SeenAt,
    NodeCheck? Check,
    bool IsDrained);

/// <summary>What the libvirt and QEMU of a node can do.</summary>
/// <param name="Driver">libvirt's driver, for example <c>QEMU</c>.</param>
/// <param name="LibvirtVersion">Version of libvirt.</param>
/// <param name="HypervisorVersion">Version of QEMU.</param>
/// <param name="Captures">The captures that these versions allow.</param>
public sealed record NodeAbilities(
    string Driver, string LibvirtVersion, string HypervisorVersion, IReadOnlyList<string> Captures);

/// <summary>
/// Whether the captures of a node are safe for its guests. A node proves that on throw-away guests of its own before it
/// touches a real one.
/// </summary>
/// <param name="Status"><c>checking</c> or <c>checked</c>.</param>
/// <param name="StartedAt">When the check began.</param>
/// <param name="EndedAt">When it ended; null while it is at work.</param>
/// <param name="Problems">Each capture that is disabled or could not be checked: why, and what to do.</param>
/// <param name="Results">One for each capture and each shape of guests.</param>
public sealed record NodeCheck(
    string Status, DateTimeOffset StartedAt, DateTimeOffset? EndedAt, IReadOnlyList<string> Problems,
    IReadOnlyList<CaptureResult> Results);

/// <summary>What a throw-away guest of one shape has shown of one capture.</summary>
/// <param name="Capture"><c>cold</c>, <c>mirror</c> or <c>backup</c>.</param>
/// <param name="Shape">
/// <c>plain</c>; <c>io_thread</c>: a disk with an I/O thread; <c>scsi</c>: a disk on a SCSI controller;
/// <c>scsi_io_thread</c>: a SCSI controller with an I/O thread; <c>two_disks</c>: several disks in one snapshot.
/// </param>
/// <param name="Outcome">
/// <c>proved</c>; <c>failed</c>: the capture is disabled for such guests; <c>unknown</c>: it could not be checked.
/// </param>
/// <param name="Reason">Why it is not proved; null when it is.</param>
/// <param name="Cure">What to do; null when it is proved.</param>
public sealed record CaptureResult(string Capture, string Shape, string Outcome, string? Reason, string? Cure);
