using SnapshotApi.Captures;
using SnapshotApi.Hypervisor;
using SnapshotApi.Images;
using SnapshotApi.Persistence;
using SnapshotApi.Snapshots;
using SnapshotApi.Stores;

namespace SnapshotApi.Tests.Snapshots;

/// <summary>From a definition to the properties that Nova boots its image by.</summary>
public sealed class HardwarePropertiesTests
{
    private const string Disk = "<disk type='file' device='disk'><source file='/i/a'/><target dev='sda' bus='scsi'/><address type='drive' controller='1'/></disk>";

    [Fact]
    public void A_machine_with_UEFI_and_secure_boot_says_what_it_needs()
    {
        IReadOnlyDictionary<string, string> properties = Build(
            "<type arch='x86_64' machine='pc-q35-7.2'>hvm</type><loader readonly='yes' secure='yes' type='pflash'>/usr/share/OVMF/OVMF_CODE_4M.ms.fd</loader>",
            Disk + "<controller type='scsi' index='0' model='lsilogic'/><controller type='scsi' index='1' model='virtio-scsi'/>"
            + "<disk type='file' device='cdrom'><target dev='sdb' bus='sata'/></disk><interface type='user'><model type='virtio'/></interface>"
            + "<tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm><video><model type='virtio'/></video>");

        Assert.Equal(
            new Dictionary<string, string>
            {
                ["hw_cdrom_bus"] = "sata",
                ["hw_disk_bus"] = "scsi",
                ["hw_firmware_type"] = "uefi",
                ["hw_machine_type"] = "q35",
                ["hw_scsi_model"] = "virtio-scsi",
                ["hw_tpm_model"] = "tpm-crb",
                ["hw_tpm_version"] = "2.0",
                ["hw_vif_model"] = "virtio",
                ["hw_video_model"] = "virtio",
                ["os_secure_boot"] = "required",
            },
            Derived(properties));
    }

    [Fact]
    public void A_plain_machine_has_a_BIOS_and_no_operating_system()
    {
        IReadOnlyDictionary<string, string> properties = Build(
            "<type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type>", "<disk type='file' device='disk'><source file='/i/a'/><target dev='vda' bus='virtio'/></disk>", "vda");

        Assert.Equal(
            new Dictionary<string, string> { ["hw_disk_bus"] = "virtio", ["hw_firmware_type"] = "bios", ["hw_machine_type"] = "pc" }, Derived(properties));
    }

    [Theory]
    [InlineData("<type arch='x86_64' machine='q35'>hvm</type>", "firmware='efi'", "uefi", null, "q35")]
    [InlineData("<type arch='x86_64' machine='pc-q35-rhel9.2.0'>hvm</type><firmware><feature enabled='yes' name='secure-boot'/></firmware>", "firmware='efi'", "uefi", "required", "q35")]
    [InlineData("<type arch='x86_64'>hvm</type><firmware><feature enabled='no' name='secure-boot'/></firmware>", "firmware='efi'", "uefi", null, null)]
    [InlineData("<type arch='x86_64'>hvm</type><firmware><feature enabled='no' name='enrolled-keys'/></firmware><loader secure='yes' type='pflash'>/x</loader>", "firmware='efi'", "uefi", null, null)]
    [InlineData("<type arch='x86_64' machine='pc'>hvm</type><loader>/usr/share/ovmf/OVMF.fd</loader>", "", "uefi", null, "pc")]
    [InlineData("<type arch='x86_64' machine='microvm'>hvm</type><loader>/usr/share/seabios/special.bin</loader>", "", null, null, "microvm")]
    [InlineData("<type arch='aarch64' machine='virt-7.2'>hvm</type>", "", null, null, "virt")]
    [InlineData("<type arch='x86_64' machine='pc-1.0'>hvm</type>", "firmware='bios'", "bios", null, "pc")]
    public void Firmware_and_machine_are_told_as_Nova_calls_them(string os, string attribute, string? firmware, string? secureBoot, string? machine)
    {
        IReadOnlyDictionary<string, string> properties = Build(os, Disk, attributes: attribute);

        Assert.Equal(firmware, properties.GetValueOrDefault("hw_firmware_type"));
        Assert.Equal(secureBoot, properties.GetValueOrDefault("os_secure_boot"));
        Assert.Equal(machine, properties.GetValueOrDefault("hw_machine_type"));
    }

    [Fact]
    public void What_Nova_does_not_know_is_not_told()
    {
        IReadOnlyDictionary<string, string> properties = Build(
            "<type arch='x86_64' machine='pc'>hvm</type>",
            "<disk type='file' device='disk'><source file='/i/a'/><target dev='sda' bus='sd'/></disk><interface type='user'><model type='igb'/></interface>"
            + "<tpm model='tpm-spapr'><backend type='passthrough'/></tpm><video><model type='ramfb'/></video>");

        Assert.Equal(["hw_firmware_type", "hw_machine_type"], Derived(properties).Keys);
    }

    [Fact]
    public void The_users_word_comes_first_then_the_bases()
    {
        var metadata = new Dictionary<string, string> { ["hw_disk_bus"] = "ide", ["os_type"] = "windows" };
        var origin = new BaseImage(
            "bare", new Dictionary<string, string> { ["hw_disk_bus"] = "usb", ["hw_firmware_type"] = "bios", ["hw_tpm_version"] = "1.2", ["os_type"] = "hvm" });

        IReadOnlyDictionary<string, string> properties = Build(
            "<type arch='x86_64' machine='q35'>hvm</type><loader secure='yes' type='pflash'>/x</loader>",
            Disk + "<tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>", metadata: metadata, origin: origin);

        Assert.Equal(
            new Dictionary<string, string>
            {
                ["hw_disk_bus"] = "ide",
                ["hw_firmware_type"] = "bios",
                ["hw_machine_type"] = "q35",
                ["hw_tpm_version"] = "1.2",
                ["os_type"] = "windows",
            },
            Derived(properties));
    }

    [Fact]
    public void Rows_of_older_nodes_are_read_and_newer_ones_kept()
    {
        ServerDescription server = Read("<type arch='x86_64' machine='pc'>hvm</type>", Disk, "");

        ServerDescription again = RowJson.Read<ServerDescription>(RowJson.Write(server));
        ServerDescription old = RowJson.Read<ServerDescription>(RowJson.Write(server with { Hardware = null, Disks = [server.Disks[0] with { Bus = null }] }));

        Assert.Equal(server.Hardware, again.Hardware);
        Assert.Equal("scsi", again.Disks[0].Bus);
        Assert.Null(old.Hardware);
        Assert.Null(old.Disks[0].Bus);
    }

    private static SortedDictionary<string, string> Derived(IReadOnlyDictionary<string, string> properties) =>
        new(properties.Where(p => p.Key.StartsWith("hw_", StringComparison.Ordinal) || p.Key.StartsWith("os_", StringComparison.Ordinal)).ToDictionary());

    private static IReadOnlyDictionary<string, string> Build(
        string os,
        string devices,
        string target = "sda",
        string attributes = "",
        Dictionary<string, string>? metadata = null,
        BaseImage? origin = null)
    {
        ServerDescription server = Read(os, devices, attributes);
        var request = new SnapshotRequest("n") { Metadata = metadata ?? [] };
        var work = new SnapshotWork(Guid.NewGuid(), server.Id, 1, request, new BandwidthLimit(TimeProvider.System));
        var plan = new SnapshotPlan(CaptureKind.Cold, "it is off", "glance", [], []);
        return ImageProperties.Build(work, server, origin, server.Disks.First(d => d.Target == target), plan, ImageFormat.Qcow2, Consistency.Offline);
    }

    private static ServerDescription Read(string os, string devices, string attributes) => DomainXmlReader.Read(
        $"<domain type='kvm'><name>n</name><uuid>{Guid.NewGuid()}</uuid><os {attributes}>{os}</os><devices>{devices}</devices></domain>",
        ServerPowerState.ShutOff,
        isPersistent: true,
        activeJob: null);
}
