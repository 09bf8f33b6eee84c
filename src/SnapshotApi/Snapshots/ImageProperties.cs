using SnapshotApi.Captures;
using SnapshotApi.Hypervisor;
using SnapshotApi.Images;
using SnapshotApi.Stores;

namespace SnapshotApi.Snapshots;

/// <summary>Properties of an image: Nova's, the user's and ours, flat.</summary>
internal static class ImageProperties
{
    /// <summary>Prefix of our own: a user's metadata can't take their place.</summary>
    public const string OwnPrefix = "snapshotapi_";

    /// <summary>
    /// Composes the properties. Of what the guest needs to boot the user's word comes first, then the base's, then the
    /// definition's; on any other clash the user's metadata give way to ours.
    /// </summary>
    /// <param name="work">The run of the job.</param>
    /// <param name="server">The server.</param>
    /// <param name="origin">What the store knows of the image that the server was made from; null when nothing.</param>
    /// <param name="disk">The disk.</param>
    /// <param name="plan">The plan.</param>
    /// <param name="format">Format of the image.</param>
    /// <param name="consistency">What is known of the instant.</param>
    public static IReadOnlyDictionary<string, string> Build(
        SnapshotWork work,
        ServerDescription server,
        BaseImage? origin,
        DiskDescription disk,
        SnapshotPlan plan,
        ImageFormat format,
        Consistency consistency)
    {
        var properties = new SortedDictionary<string, string>(StringComparer.Ordinal);
        InheritedProperties.CopyTo(properties, origin);
        foreach ((string key, string value) in work.Request.Metadata)
        {
            properties[key] = value;
        }

        HardwareProperties.AddTo(properties, server.Hardware, disk);

        // As Nova's libvirt driver writes them.
        properties["image_location"] = "snapshot";
        properties["image_state"] = "available";
        properties["image_type"] = work.Request.Reserved?.Type ?? "snapshot";
        properties["instance_uuid"] = server.Id.ToString("D");
        if (server.Architecture is { } architecture)
        {
            properties["architecture"] = architecture;
        }

        AddIfKnown(properties, "backup_type", work.Request.Reserved?.BackupType);
        AddIfKnown(properties, "base_image_ref", server.Nova?.BaseImageId?.ToString("D"));
        AddIfKnown(properties, "owner_id", server.Nova?.ProjectId ?? work.Request.Reserved?.ProjectId);
        AddIfKnown(properties, "user_id", server.Nova?.UserId ?? work.Request.Reserved?.UserId);

        // An image of the kind that Amazon's had (a bare file system with its kernel beside it) stays one; all others
        // are what we write: a base that was in an archive (ova) or compressed is not so in its snapshot.
        bool isAmi = origin?.ContainerFormat == "ami";
        properties["container_format"] = isAmi ? "ami" : "bare";
        properties["disk_format"] = isAmi ? "ami" : ImageFormatNames.NameOf(format);

        properties[OwnPrefix + "job"] = work.JobId.ToString("D");
        properties[OwnPrefix + "server_name"] = server.Name;
        properties[OwnPrefix + "disk"] = disk.Target;
        properties[OwnPrefix + "capture"] = plan.Capture.ToSnakeCase();
        properties[OwnPrefix + "consistency"] = consistency.ToSnakeCase();
        return properties;
    }

    private static void AddIfKnown(SortedDictionary<string, string> properties, string key, string? value)
    {
        if (value is not null)
        {
            properties[key] = value;
        }
    }
}

/// <summary>
/// What an image takes over from the one that its server was made from: as Nova, all properties but those that are true
/// of the base's file only.
/// </summary>
internal static class InheritedProperties
{
    /// <summary>Attributes of Glance, not properties.</summary>
    private static readonly HashSet<string> Attributes = new(StringComparer.Ordinal)
    {
        "id", "name", "status", "visibility", "protected", "os_hidden", "checksum", "owner", "size", "virtual_size",
        "created_at", "updated_at", "tags",
        "direct_url", "min_ram", "min_disk", "self", "file", "stores", "schema", "locations", "location", "deleted",
        "deleted_at",
        "container_format", "disk_format", "os_hash_algo", "os_hash_value", "description",
    };

    /// <summary>Nova's <c>non_inheritable_image_properties</c>, caches, and block devices of the base.</summary>
    private static readonly HashSet<string> OfTheBaseOnly = new(StringComparer.Ordinal)
    {
        "cache_in_nova", "bittorrent", "progress", "block_device_mapping", "bdm_v2", "root_device_name", "mappings",
        "backup_type",
        "image_type", "image_state", "image_location", "instance_uuid", "base_image_ref", "owner_id", "user_id",
        "owner_specified.openstack.md5",
        "owner_specified.openstack.sha256", "owner_specified.openstack.object",
    };

    /// <summary>
    /// Of the base's file, or secrets: its signature, the key that its content is encrypted with, what Glance's import
    /// left, and what we said of another snapshot.
    /// </summary>
    private static readonly string[] Prefixes =
    [
        "img_signature", "cinder_encryption_key", "os_glance_", "trusts_", ImageProperties.OwnPrefix,
    ];

    /// <summary>Adds what is inherited.</summary>
    public static void CopyTo(IDictionary<string, string> properties, BaseImage? origin)
    {
        foreach ((string key, string value) in origin?.Members ?? new Dictionary<string, string>())
        {
            if (IsInherited(key) && value.Length > 0
                && (key != HardwareProperties.OperatingSystem || HardwareProperties.IsOperatingSystem(value)))
            {
                properties[key] = value;
            }
        }
    }

    private static bool IsInherited(string key) =>
        !Attributes.Contains(key) && !OfTheBaseOnly.Contains(key)
            && !Prefixes.Any(p => key.StartsWith(p, StringComparison.Ordinal));
}

/// <summary>
/// Nova's image properties for the machine that a guest needs to boot, derived from the server's definition; only
/// values that Nova knows.
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
    private static readonly string[] NetworkModels =
    [
        "virtio", "e1000", "e1000e", "rtl8139", "ne2k_pci", "pcnet", "spapr-vlan",
    ];
    private static readonly string[] TpmModels = ["tpm-tis", "tpm-crb"];
    private static readonly string[] TpmVersions = ["1.2", "2.0"];
    private static readonly string[] VideoModels =
    [
        "cirrus", "qxl", "vga", "vmvga", "xen", "virtio", "gop", "none", "bochs",
    ];

    private static readonly string[] ScsiModels =
    [
        "virtio-scsi", "buslogic", "ibmvscsi", "lsilogic", "lsisas1068", "lsisas1078", "vmpvscsi",
    ];

    // The version of a machine is that of the QEMU that it runs on; an image should boot on any.
    private static readonly (string Prefix, string Family)[] MachineFamilies =
    [
        ("pc-q35", "q35"),
        ("pc-i440fx", "pc"),
        ("pc-", "pc"),
        ("virt-", "virt"),
        ("pseries-", "pseries"),
        ("s390-ccw-virtio-", "s390-ccw-virtio"),
    ];

    /// <summary>What Nova takes for an operating system; it boots no image that names another.</summary>
    public static bool IsOperatingSystem(string value) =>
        OperatingSystems.Contains(value, StringComparer.OrdinalIgnoreCase);

    /// <summary>Adds what is known and not said already: the base's properties and the user's come first.</summary>
    public static void AddTo(
        SortedDictionary<string, string> properties, VirtualHardware? hardware, DiskDescription disk)
    {
        Add(properties, "hw_disk_bus", OneOf(Buses, disk.Bus));
        if (properties.GetValueOrDefault("hw_disk_bus") == "scsi")
        {
            Add(
                properties,
                "hw_scsi_model",
                OneOf(
                    ScsiModels,
                    disk.ScsiModel is "virtio-transitional" or "virtio-non-transitional"
                        ? "virtio-scsi"
                        : disk.ScsiModel));
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
        if (!properties.ContainsKey(TpmModel) && !properties.ContainsKey(TpmVersion)
            && OneOf(TpmVersions, hardware.TpmVersion) is { } version)
        {
            properties[TpmVersion] = version;
            Add(properties, TpmModel, OneOf(TpmModels, hardware.TpmModel));
        }
    }

    private static string? FamilyOf(string? machine) => machine is null
        ? null
        : MachineFamilies.FirstOrDefault(
            f => machine.StartsWith(f.Prefix, StringComparison.Ordinal)) is { Family: { } family } ? family : machine;

    private static string? OneOf(string[] known, string? value) => known.Contains(value) ? value : null;

    private static void Add(SortedDictionary<string, string> properties, string key, string? value)
    {
        if (value is not null)
        {
            properties.TryAdd(key, value);
        }
    }
}
