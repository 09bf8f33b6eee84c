namespace SnapshotApi.Hypervisor;

/// <summary>What a server's definition says of the machine that its guest sees, in libvirt's words. Null: it does not say.</summary>
internal sealed record VirtualHardware
{
    /// <summary><c>uefi</c> or <c>bios</c>.</summary>
    public string? Firmware { get; init; }

    /// <summary>The firmware boots only what is signed.</summary>
    public bool HasSecureBoot { get; init; }

    /// <summary>Machine type, for example <c>pc-q35-7.2</c>.</summary>
    public string? MachineType { get; init; }

    /// <summary>Model of the first network card, for example <c>virtio</c>.</summary>
    public string? NetworkModel { get; init; }

    /// <summary>Model of an emulated TPM, for example <c>tpm-crb</c>.</summary>
    public string? TpmModel { get; init; }

    /// <summary>Its version, for example <c>2.0</c>.</summary>
    public string? TpmVersion { get; init; }

    /// <summary>Bus of the first CD-ROM drive, for example <c>sata</c>.</summary>
    public string? CdromBus { get; init; }

    /// <summary>Model of the first video card, for example <c>virtio</c>.</summary>
    public string? VideoModel { get; init; }
}
