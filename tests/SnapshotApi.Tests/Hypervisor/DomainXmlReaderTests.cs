using SnapshotApi.Errors;
using SnapshotApi.Hypervisor;

namespace SnapshotApi.Tests.Hypervisor;

public sealed class DomainXmlReaderTests
{
    private const string Head =
        "<domain type='kvm' id='5'><name>fed18</name><uuid>dbf1414a-4229-4cd8-8d07-70002191d4de</uuid><os><type "
            + "arch='x86_64'>hvm</type></os>";

    [Fact]
    public void The_chain_is_read_from_top_to_base()
    {
        ServerDescription server = Read(
            """
            <devices><disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='/i/top' index='1'/>
            <backingStore type='file' index='2'><format type='qcow2'/><source file='/i/mid'/>
            <backingStore type='block' index='3'><format type='raw'/><source dev='/dev/vg/base'/><backingStore/></backingStore></backingStore>
            <target dev='vda' bus='virtio'/><boot order='2'/></disk></devices>
            """);

        DiskDescription disk = Assert.Single(server.Disks);
        Assert.Equal(
            [
                new DiskLayer("file", "/i/top", "qcow2"), new DiskLayer("file", "/i/mid", "qcow2"),
                new DiskLayer("block", "/dev/vg/base", "raw"),
            ],
            disk.Layers);
        Assert.Equal(("vda", 2, true), (disk.Target, disk.BootOrder, disk.IsHardDisk));
    }

    [Theory]
    [InlineData("<driver name='qemu' type='qcow2' iothread='1'/>", "virtio", "", true)]
    [InlineData(
        "<driver name='qemu' type='qcow2'><iothreads><iothread id='1'/></iothreads></driver>", "virtio", "", true)]
    [InlineData("<driver name='qemu' type='qcow2'/>", "virtio", "<driver iothread='1'/>", false)]
    [InlineData("<driver name='qemu' type='qcow2'/>", "scsi", "<driver iothread='1'/>", true)]
    [InlineData(
        "<driver name='qemu' type='qcow2'/>", "scsi",
        "<driver queues='2'><iothreads><iothread id='2'/></iothreads></driver>", true)]
    [InlineData("<driver name='qemu' type='qcow2'/>", "scsi", "<driver queues='4'/>", false)]
    public void An_io_thread_is_that_of_the_disk_or_of_its_scsi_controller(
        string driver, string bus, string ofController, bool hasIoThread)
    {
        ServerDescription server = Read(
            $"""
            <devices><controller type='scsi' index='0' model='virtio-scsi'/><controller type='scsi' index='1' model='virtio-scsi'>{ofController}</controller>
            <disk type='file' device='disk'>{driver}<source file='/i/top'/><target dev='xda' bus='{bus}'/><alias name='xdisk0'/>
            <address type='drive' controller='1' bus='0' target='0' unit='0'/></disk></devices>
            """);

        DiskDescription disk = Assert.Single(server.Disks);
        Assert.Equal((hasIoThread, "xdisk0"), (disk.HasIoThread, disk.Alias));
        Assert.Equal(5, server.DomainId);
    }

    [Theory]
    [InlineData("", false, 1)]
    [InlineData("<backingStore/>", true, 1)]
    [InlineData("<backingStore type='file'><format type='qcow2'/><source file='/b'/></backingStore>", false, 2)]
    [InlineData(
        "<backingStore type='file'><format type='qcow2'/><source file='/b'/><backingStore/></backingStore>", true, 2)]
    public void An_end_that_the_definition_gives_is_told_from_one_that_it_leaves_open(
        string backing, bool isEnded, int layers)
    {
        DiskDescription disk = Assert.Single(Read(
            $"<devices><disk type='file'><driver type='qcow2'/><source file='/a'/>{backing}<target dev='vda'/></disk></devices>").Disks);

        Assert.Equal((isEnded, layers), (disk.IsChainEnded, disk.Layers.Count));
    }

    [Fact]
    public void A_drive_without_a_source_has_no_chain_that_ends() => Assert.False(
        Assert.Single(Read("<devices><disk type='file' device='cdrom'><target dev='sda'/></disk></devices>").Disks).IsChainEnded);

    [Fact]
    public void Volumes_are_named_by_their_pools()
    {
        ServerDescription server = Read(
            """
            <devices><disk type='volume'><driver type='qcow2'/><source pool='fast' volume='v1'/><target dev='vda'/></disk>
            <disk type='volume'><driver type='raw'/><source pool='san' volume='unit:0:0:1' mode='direct'/><target dev='vdb'/></disk></devices>
            """);

        Assert.Equal(new PoolVolume("fast", "v1", IsDirect: false), server.Disks[0].Layers[0].Volume);
        Assert.Equal(new PoolVolume("san", "unit:0:0:1", IsDirect: true), server.Disks[1].Layers[0].Volume);
        Assert.Null(server.WithoutPaths().Disks[0].Layers[0].Volume);
    }

    [Theory]
    [InlineData("1.0")]
    [InlineData("1.1")]
    public void What_Nova_wrote_is_read(string version)
    {
        ServerDescription server = Read(
            $"""
            <metadata><nova:instance xmlns:nova="http://openstack.org/xmlns/libvirt/nova/{version}"><nova:name>fed18</nova:name>
            <nova:creationTime>2026-11-20 10:11:12</nova:creationTime><nova:flavor name="m1.tiny"><nova:memory>512</nova:memory></nova:flavor>
            <nova:owner><nova:user uuid="u1">me</nova:user><nova:project uuid="p1">demo</nova:project></nova:owner>
            <nova:root type="image" uuid="11111111-2222-3333-4444-555555555555"/></nova:instance></metadata>
            """);

        Assert.Equal(
            new NovaOrigin(Guid.Parse("11111111-2222-3333-4444-555555555555"), "p1", "u1")
            {
                Name = "fed18",
                Flavor = "m1.tiny",
                CreatedAt = new DateTimeOffset(2026, 11, 20, 10, 11, 12, TimeSpan.Zero),
            },
            server.Nova);
    }

    [Theory]
    [InlineData("")]
    [InlineData("<metadata><instance xmlns='http://example.org/x'><root type='image' "
        + "uuid='11111111-2222-3333-4444-555555555555'/></instance></metadata>")]
    public void What_others_wrote_is_not_taken_for_Novas(string metadata)
    {
        Assert.Null(Read(metadata).Nova);
    }

    [Theory]
    [InlineData(
        "<filesystem type='file'><driver type='nbd' format='qcow2'/><source file='/c/root.qcow2'/><target "
            + "dir='/'/></filesystem>",
        "file",
        "/c/root.qcow2",
        "qcow2")]
    [InlineData(
        "<filesystem type='file'><driver type='loop'/><source file='/c/root.img'/><target dir='/'/></filesystem>",
        "file", "/c/root.img", null)]
    [InlineData(
        "<filesystem type='block'><source dev='/dev/vg/c'/><target dir='/'/></filesystem>", "block", "/dev/vg/c", "raw")]
    public void The_root_of_a_container_is_its_disk_when_it_is_an_image_or_a_device(
        string root, string type, string path, string? format)
    {
        ServerDescription server = ReadContainer(
            $"<devices><filesystem type='file'><driver format='raw'/><source file='/c/data'/><target dir='/data'/></filesystem>{root}</devices>");

        DiskDescription disk = Assert.Single(server.Disks);
        Assert.Equal(("root", type, format, true), (disk.Target, disk.SourceType, disk.Format, disk.IsHardDisk));
        Assert.Equal([new DiskLayer(type, path, format)], disk.Layers);
    }

    [Fact]
    public void A_container_whose_root_is_a_directory_has_no_disk() => Assert.Empty(
        ReadContainer("<devices><filesystem type='mount'><source dir='/c/root'/><target dir='/'/></filesystem></devices>").Disks);

    private static ServerDescription ReadContainer(string devices) => DomainXmlReader.Read(
        $"<domain type='lxc'><name>c</name><uuid>dbf1414a-4229-4cd8-8d07-70002191d4de</uuid>{devices}</domain>",
        ServerPowerState.ShutOff, isPersistent: true, activeJob: null);

    [Fact]
    public void A_mirror_is_seen_with_its_destination_and_readiness()
    {
        DiskDescription disk = Assert.Single(Read(
            """
            <devices><disk type='file' device='disk'><driver type='raw'/><source file='/i/a'/>
            <mirror type='file' job='copy' ready='yes'><format type='qcow2'/><source file='/w/0.mirror'/></mirror><target dev='vda'/></disk></devices>
            """).Disks);

        Assert.Equal(("/w/0.mirror", true), (disk.MirrorPath, disk.MirrorReady));
    }

    [Fact]
    public void An_empty_drive_a_network_disk_and_a_slice_are_told_apart()
    {
        IReadOnlyList<DiskDescription> disks = Read(
            """
            <devices><disk type='file' device='cdrom'><target dev='sda'/><readonly/></disk>
            <disk type='network' device='disk'><driver type='raw'/><source protocol='rbd' name='pool/x'><auth username='u'/></source><target dev='vda'/></disk>
            <disk type='file' device='disk'><driver type='raw'/><source file='/i/a'><slices><slice type='storage' offset='1' size='2'/></slices></source><target dev='vdb'/></disk></devices>
            """).Disks;

        Assert.Empty(disks[0].Layers);
        Assert.Equal(new DiskLayer("network", null, "raw"), Assert.Single(disks[1].Layers));
        Assert.Equal(new DiskLayer("slice", null, "raw"), Assert.Single(disks[2].Layers));
    }

    [Fact]
    public void A_format_that_the_XML_does_not_name_is_unknown_not_guessed()
    {
        DiskDescription disk = Assert.Single(Read(
            "<devices><disk type='file' device='disk'><source file='/i/a.qcow2'/><target dev='vda'/></disk></devices>").Disks);

        Assert.Null(Assert.Single(disk.Layers).Format);
    }

    [Fact]
    public void Agent_owner_and_encryption_are_read()
    {
        ServerDescription server = Read(
            """
            <devices><channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0' state='connected'/></channel>
            <disk type='file' device='disk'><driver type='qcow2'/><source file='/i/a'><encryption format='luks'/></source><target dev='vda'/></disk></devices>
            <seclabel type='none' model='apparmor'/><seclabel type='dynamic' model='dac' relabel='yes'><label>+64055:+64055</label></seclabel>
            """);

        Assert.True(server.HasAgentChannel);
        Assert.True(server.AgentConnected);
        Assert.Equal("+64055:+64055", server.QemuOwner);
        Assert.True(server.Disks[0].IsEncrypted);
    }

    [Theory]
    [InlineData("")]
    [InlineData("<domain/>")]
    [InlineData("<network><uuid>dbf1414a-4229-4cd8-8d07-70002191d4de</uuid></network>")]
    [InlineData("<!DOCTYPE d [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><domain><name>&e;</name></domain>")]
    [InlineData("<domain><uuid>no</uuid><name>a</name></domain>")]
    public void What_is_no_domain_is_refused(string xml)
    {
        SnapshotException e = Assert.Throws<SnapshotException>(
            () => DomainXmlReader.Read(xml, ServerPowerState.Running, true, null));

        Assert.Equal(SnapshotErrorCode.HypervisorError, e.Code);
        Assert.StartsWith("libvirt's description of a server can't be read", e.Message, StringComparison.Ordinal);
    }

    private static ServerDescription Read(string rest) =>
        DomainXmlReader.Read(Head + rest + "</domain>", ServerPowerState.Running, true, null);
}
