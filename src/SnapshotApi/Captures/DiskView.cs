using SnapshotApi.Hypervisor;

namespace SnapshotApi.Captures;

/// <summary>What a capture hands out for one disk: a stable, read-only NBD endpoint.</summary>
/// <param name="Target">The disk's name, for example <c>vda</c>.</param>
/// <param name="Endpoint">Where it is read.</param>
internal sealed record DiskView(string Target, NbdEndpoint Endpoint);
