using SnapshotApi.Hypervisor;

namespace SnapshotApi.Snapshots;

/// <summary>
/// Nova's image properties for the machine that a guest needs to boot, derived from the server's definition; only values that Nova knows.
/// https://docs.openstack.org/glance/latest/admin/useful-image-properties.html and nova/objects/fields.py.
/// </summary>
internal static class HardwareProperties
{
    public const string OperatingSystem = "os_type";

    private const string Firmware = "hw_firmware_type";
    private const string SecureBoot = "os_secure_boot";
    private const string TpmModel = "hw_tpm_model";
    private const string TpmVersion = "hw_tpm_version";

    private static readonly string[] OperatingSystems = ["linux", "windows"];
    private static readonly string[] Buses = ["fdc", "ide", "sata", "scsi", "usb", "virtio", "xen"];
    private static readonly string[] NetworkModels = ["virtio", "e1000", "e1000e", "rtl8139", "ne2k_pci", "pcnet", "spapr-vlan"];
    private static readonly string[] TpmModels = ["tpm-tis", "tpm-crb"];
    private static readonly string[] TpmVersions = ["1.2", "2.0"];
    private static readonly string[] VideoModels = ["cirrus", "qxl", "vga", "vmvga", "xen", "virtio", "gop", "none", "bochs"];

    private static readonly string[] ScsiModels = ["virtio-scsi", "buslogic", "ibmvscsi", "lsilogic", "lsisas1068", "lsisas1078", "vmpvscsi"];

    // The version of a machine is that of the QEMU that it runs on; an image should boot on any.
    private static readonly (string Prefix, string Family)[] MachineFamilies =
    [
        ("pc-q35", "q35"), ("pc-i440fx", "pc"), ("pc-", "pc"), ("virt-", "virt"), ("pseries-", "pseries"), ("s390-ccw-virtio-", "s390-ccw-virtio"),
    ];

    /// <summary>What Nova takes for an operating system; it boots no image that names another.</summary>
    public static bool IsOperatingSystem(string value) => OperatingSystems.Contains(value, StringComparer.OrdinalIgnoreCase);

    /// <summary>Adds what is known and not said already: the base's properties and the user's come first.</summary>
    public static void AddTo(SortedDictionary<string, string> properties, VirtualHardware? hardware, DiskDescription disk)
    {
        Add(properties, "hw_disk_bus", OneOf(Buses, disk.Bus));
        if (properties.GetValueOrDefault("hw_disk_bus") == "scsi")
        {
            Add(properties, "hw_scsi_model", OneOf(ScsiModels, disk.ScsiModel is "virtio-transitional" or "virtio-non-transitional" ? "virtio-scsi" : disk.ScsiModel));
        }

        if (hardware is null)
        {
            return;
        }

        Add(properties, Firmware, hardware.Firmware);
        if (hardware.HasSecureBoot && properties[Firmware] == "uefi")
        {
            Add(properties, SecureBoot, "required");
        }

        Add(properties, "hw_machine_type", FamilyOf(hardware.MachineType));
        Add(properties, "hw_vif_model", OneOf(NetworkModels, hardware.NetworkModel));
        Add(properties, "hw_cdrom_bus", OneOf(Buses, hardware.CdromBus));
        Add(properties, "hw_video_model", OneOf(VideoModels, hardware.VideoModel));

        // Nova wants a version with each model; one of somebody else's does not go with a model of ours.
        if (!properties.ContainsKey(TpmModel) && !properties.ContainsKey(TpmVersion) && OneOf(TpmVersions, hardware.TpmVersion) is { } version)
        {
            properties[TpmVersion] = version;
            Add(properties, TpmModel, OneOf(TpmModels, hardware.TpmModel));
        }
    }

    private static string? FamilyOf(string? machine) => machine is null
        ? null
        : MachineFamilies.FirstOrDefault(f => machine.StartsWith(f.Prefix, StringComparison.Ordinal)) is { Family: { } family } ? family : machine;

    private static string? OneOf(string[] known, string? value) => known.Contains(value) ? value : null;

    private static void Add(SortedDictionary<string, string> properties, string key, string? value)
    {
        if (value is not null)
        {
            properties.TryAdd(key, value);
        }
    }
}
