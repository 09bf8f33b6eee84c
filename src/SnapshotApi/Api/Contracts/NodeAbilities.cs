using SnapshotApi.Captures;

namespace SnapshotApi.Api.Contracts;

/// <summary>What the libvirt and QEMU of a node can do.</summary>
/// <param name="Driver">libvirt's driver, for example <c>QEMU</c>.</param>
/// <param name="LibvirtVersion">Version of libvirt.</param>
/// <param name="HypervisorVersion">Version of QEMU.</param>
/// <param name="Captures">The captures that these versions allow.</param>
internal sealed record NodeAbilities(
    string Driver, string LibvirtVersion, string HypervisorVersion, IReadOnlyList<CaptureKind> Captures);
