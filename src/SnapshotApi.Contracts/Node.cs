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
    DateTimeOffset SeenAt);

/// <summary>What the libvirt and QEMU of a node can do.</summary>
/// <param name="Driver">libvirt's driver, for example <c>QEMU</c>.</param>
/// <param name="LibvirtVersion">Version of libvirt.</param>
/// <param name="HypervisorVersion">Version of QEMU.</param>
/// <param name="Captures">The captures that these versions allow.</param>
public sealed record NodeAbilities(
    string Driver, string LibvirtVersion, string HypervisorVersion, IReadOnlyList<string> Captures);
