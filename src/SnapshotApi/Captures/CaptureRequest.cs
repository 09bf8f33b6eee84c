using SnapshotApi.Hypervisor;

namespace SnapshotApi.Captures;

/// <summary>What a capture is to do; decided by the plan.</summary>
/// <param name="JobId">Id of the job: names its directory and its internal snapshot.</param>
/// <param name="Server">The server, described from its live XML.</param>
/// <param name="Disks">The disks, with complete chains.</param>
/// <param name="Quiesce">Whether to freeze at the instant.</param>
/// <param name="InternalSnapshot">Cold: take an internal qcow2 snapshot.</param>
/// <param name="BlockRebase">Mirror: blockRebase with undefine and define.</param>
/// <param name="Bandwidth">Mirror: limit of all its block jobs together now, in bytes a second, null for none; it may change while they copy.</param>
internal sealed record CaptureRequest(
    Guid JobId,
    ServerDescription Server,
    IReadOnlyList<DiskDescription> Disks,
    QuiesceMode Quiesce,
    bool InternalSnapshot,
    bool BlockRebase,
    Func<long?> Bandwidth)
{
    /// <summary>UUID of the server.</summary>
    public Guid ServerId => Server.Id;
}
