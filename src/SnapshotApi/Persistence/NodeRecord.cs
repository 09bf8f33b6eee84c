using SnapshotApi.Hypervisor;

namespace SnapshotApi.Persistence;

/// <summary>One row of <c>nodes</c>.</summary>
/// <param name="Name">Name of the node.</param>
/// <param name="Capabilities">Versions and what they allow; null before libvirt first answered.</param>
/// <param name="HypervisorConnected">libvirt answered at the last look.</param>
/// <param name="ServiceVersion">Version of SnapshotApi there.</param>
/// <param name="WorkFreeBytes">Free bytes in the work directory.</param>
/// <param name="StoreFreeBytes">Free bytes in the directory store.</param>
/// <param name="MaxJobs">How many jobs it runs at once.</param>
/// <param name="RunningJobs">How many run now.</param>
/// <param name="Problems">What an operator should see to: clean-up that could not be done yet.</param>
/// <param name="SeenAt">Its last sign of life.</param>
internal sealed record NodeRecord(
    string Name,
    NodeCapabilities? Capabilities,
    bool HypervisorConnected,
    string ServiceVersion,
    long WorkFreeBytes,
    long StoreFreeBytes,
    int MaxJobs,
    int RunningJobs,
    IReadOnlyList<string> Problems,
    DateTimeOffset SeenAt);
