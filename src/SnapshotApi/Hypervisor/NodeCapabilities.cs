using System.Text.Json.Serialization;

namespace SnapshotApi.Hypervisor;

/// <summary>What the node's libvirt and QEMU can do.</summary>
/// <param name="Driver">libvirt driver: <c>QEMU</c>, <c>LXC</c>, <c>Test</c>.</param>
/// <param name="HypervisorVersion">Version of QEMU.</param>
internal sealed record NodeCapabilities(string Driver, Version LibvirtVersion, Version HypervisorVersion)
{
    /// <summary>The node's default for the format of images, as QEMU spells it; null: none.</summary>
    public string? SnapshotImageFormat { get; init; }

    /// <summary>virDomainBlockRebase with COPY: QEMU 1.3 and libvirt 1.0.0, Nova's own gates.</summary>
    public bool CanBlockRebase =>
        IsQemu && HypervisorVersion >= new Version(1, 3, 0) && LibvirtVersion >= new Version(1, 0, 0);

    /// <summary>virDomainBlockCopy with TRANSIENT_JOB on a persistent domain: libvirt 3.5.0.</summary>
    public bool CanBlockCopyTransient => CanBlockRebase && LibvirtVersion >= new Version(3, 5, 0);

    /// <summary>virDomainBackupBegin in pull mode: QEMU 4.2 and libvirt 6.0.0.</summary>
    public bool CanBackup =>
        IsQemu && HypervisorVersion >= new Version(4, 2, 0) && LibvirtVersion >= new Version(6, 0, 0);

    /// <summary>An undefine has a flag to keep a TPM's state: libvirt 8.9.0. An older one always keeps it.</summary>
    public bool CanKeepTpm => LibvirtVersion >= new Version(8, 9, 0);

    /// <summary>A saved image tells what starts from it (virDomainManagedSaveGetXMLDesc): libvirt 3.7.0.</summary>
    public bool CanReadSaved => LibvirtVersion >= new Version(3, 7, 0);

    [JsonIgnore]
    public bool IsQemu => string.Equals(Driver, "QEMU", StringComparison.OrdinalIgnoreCase);
}
