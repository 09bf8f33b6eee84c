namespace SnapshotApi.Libvirt;

/// <summary>What libvirt's control channel to a guest's hypervisor process is doing.</summary>
/// <param name="State">Whether it is free.</param>
/// <param name="Since">How long it has been in that state; zero when it is free.</param>
public readonly record struct DomainControl(DomainControlState State, TimeSpan Since);
