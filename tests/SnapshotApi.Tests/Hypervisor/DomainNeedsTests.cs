using SnapshotApi.Hypervisor;

namespace SnapshotApi.Tests.Hypervisor;

public sealed class DomainNeedsTests
{
    [Fact]
    public void Everything_that_a_start_opens_is_named()
    {
        ServerDescription server = Read(
            """
            <os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type><loader readonly='yes' type='pflash'>/ovmf/code.fd</loader>
            <nvram template='/ovmf/vars.fd'>/nvram/web</nvram><kernel>/boot/k</kernel><initrd>/boot/i</initrd></os>
            <devices><emulator>/usr/bin/qemu</emulator>
            <disk type='file' device='disk'><driver type='qcow2'/><source file='/d/top'/>
            <backingStore type='file'><format type='raw'/><source file='/d/base'/><backingStore/></backingStore><target dev='vda'/></disk>
            <disk type='file' device='cdrom'><source file='/iso/a.iso'/><target dev='sda'/></disk>
            <disk type='file' device='cdrom'><source file='/iso/b.iso' startupPolicy='optional'/><target dev='sdb'/></disk>
            <disk type='file' device='floppy'><source file='/img/f'/><target dev='fda'/></disk>
            <disk type='block' device='disk'><source dev='/dev/vg/b'/><target dev='vdb'/></disk>
            <interface type='network'><source network='lan' portid='x' bridge='virbr1'/></interface>
            <interface type='bridge'><source bridge='br0'/></interface><interface type='direct'><source dev='eth0' mode='bridge'/></interface>
            <serial type='file'><source path='/log/serial'/></serial><filesystem type='mount'><source dir='/srv'/><target dir='srv'/></filesystem>
            <tpm><backend type='passthrough'><device path='/dev/tpm0'/></backend></tpm></devices>
            """);

        Assert.Equal(
            [
                ("emulator", "/usr/bin/qemu"), ("kernel", "/boot/k"), ("initial RAM disk", "/boot/i"),
                ("firmware", "/ovmf/code.fd"), ("NVRAM", "/nvram/web"),
                ("disk vda", "/d/top"), ("base of disk vda", "/d/base"), ("CD-ROM sda", "/iso/a.iso"),
                ("CD-ROM sdb", "/iso/b.iso"), ("floppy fda", "/img/f"), ("disk vdb", "/dev/vg/b"),
                ("network", "lan"), ("bridge", "br0"), ("network device", "eth0"), ("serial port", "/log/serial"),
                ("file system srv", "/srv"), ("TPM", "/dev/tpm0"),
            ],
            server.Needs.Select(n => (n.What, n.Name)));
        Assert.Empty(server.WithoutPaths().Needs);
        Assert.Equal("pc-q35-7.2", server.Machine);
    }

    [Fact]
    public void Whatever_a_start_connects_to_or_listens_on_is_named()
    {
        ServerDescription server = Read(
            """
            <sysinfo type='fwcfg'><entry name='opt/x' file='/fw/x'/></sysinfo><devices>
            <serial type='unix'><source mode='connect' path='/run/console'/><log file='/log/console'/></serial>
            <serial type='pipe'><source path='/run/pipe'/></serial>
            <channel type='unix'><source mode='bind' path='/own/channel'/><target type='virtio' name='y'/></channel>
            <interface type='user'><rom file='/rom/nic'/></interface>
            <serial type='unix'><source mode='connect' path='/run/later'><reconnect enabled='yes' timeout='1'/></source></serial>
            <serial type='tcp'><source mode='connect' host='10.0.0.1' service='4000'/></serial>
            <channel type='unix'><source mode='connect' path='/run/channel'/><target type='virtio' name='x'/></channel>
            <channel type='unix'><source mode='bind' path='/run/libvirt/agent'/><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
            <redirdev bus='usb' type='tcp'><source mode='connect' host='localhost' service='4001'/></redirdev>
            <rng model='virtio'><backend model='egd' type='tcp'><source mode='connect' host='127.0.0.1' service='1234'/></backend></rng>
            <graphics type='vnc'><listen type='address' address='192.0.2.1'/></graphics>
            <graphics type='spice'><listen type='network' network='lan' address='192.0.2.2'/></graphics>
            <disk type='network' device='cdrom'><source protocol='nbd' name='iso'><host name='store' port='10809'/></source><target dev='sda'/></disk>
            <disk type='network' device='disk'><source protocol='rbd' name='p/i'><host name='mon'/></source>
            <auth username='u'><secret type='ceph' usage='pool'/></auth><target dev='vdb'/></disk>
            <disk type='file' device='disk'><source file='/d/luks'><encryption format='luks'><secret type='passphrase' uuid='c1f11a6d-8c5d-4a3e-ac7a-4e171c5e0d4a'/>
            </encryption></source><target dev='vdc'/></disk></devices>
            """);

        Assert.Equal(
            [
                ("fw_cfg entry", "/fw/x"), ("serial log", "/log/console"), ("serial device", "/run/console"),
                ("serial pipe", "/run/pipe"), ("channel port", "/own/channel"),
                ("option ROM of interface", "/rom/nic"), ("serial device", "10.0.0.1|4000"),
                ("channel device", "/run/channel"), ("redirdev device", "localhost|4001"),
                ("rng device", "127.0.0.1|1234"), ("vnc display", "192.0.2.1"), ("spice display", "lan"),
                ("CD-ROM sda", "store|10809"), ("disk vdb", "ceph pool"),
                ("disk vdc", "c1f11a6d-8c5d-4a3e-ac7a-4e171c5e0d4a"), ("disk vdc", "/d/luks"),
            ],
            server.Needs.Select(n => (n.What, n.Name)));
    }

    [Theory]
    [InlineData(
        "<devices><disk type='file'><source file='/d'/><target dev='vdb'/><transient/></disk></devices>",
        "disk vdb is transient")]
    [InlineData(
        "<devices><shmem name='s' role='peer'><model type='ivshmem-plain'/></shmem></devices>",
        "shared memory device s")]
    [InlineData("<devices><shmem name='s'><model type='ivshmem-plain'/></shmem></devices>", "shared memory device s")]
    [InlineData("<cpu><feature policy='require' name='invtsc'/></cpu>", "invtsc")]
    [InlineData("<launchSecurity type='sev'/>", "its memory is protected (sev)")]
    [InlineData("<devices><hostdev mode='subsystem' type='usb'/></devices>", null)]
    [InlineData(
        "<cpu><feature policy='require' name='invtsc'/></cpu><clock offset='utc'><timer name='tsc' "
            + "frequency='3000000000'/></clock>",
        null)]
    [InlineData("<devices><shmem name='s' role='master'><model type='ivshmem-plain'/></shmem></devices>", null)]
    [InlineData("<cpu><feature policy='disable' name='invtsc'/></cpu>", null)]
    public void What_forbids_a_save_is_named(string xml, string? obstacle)
    {
        string? found = Read(xml).SaveObstacle;

        if (obstacle is null)
        {
            Assert.Null(found);
        }
        else
        {
            Assert.Contains(obstacle, found, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void The_memory_that_is_to_be_saved_is_what_the_guest_has_now()
    {
        Assert.Equal(
            1L << 30,
            Read("<memory unit='KiB'>2097152</memory><currentMemory unit='KiB'>1048576</currentMemory>").MemoryBytes);
        Assert.Equal(2L << 30, Read("<memory unit='KiB'>2097152</memory>").MemoryBytes);
    }

    private static ServerDescription Read(string rest) => DomainXmlReader.Read(
        $"<domain type='kvm' id='5'><name>web</name><uuid>dbf1414a-4229-4cd8-8d07-70002191d4de</uuid>{rest}</domain>",
        ServerPowerState.Running, true, null);
}
