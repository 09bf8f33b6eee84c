using SnapshotApi.Hypervisor;

namespace SnapshotApi.Tests.Hypervisor;

public sealed class CanaryXmlTests
{
    private static readonly HypervisorHost Host = new("/usr/bin/qemu-system-x86_64", "x86_64", "kvm", "+64055:+994");

    [Theory]
    [InlineData("Plain", "vda", "Plain")]
    [InlineData("IoThread", "vda", "Plain IoThread")]
    [InlineData("Scsi", "sda", "Plain Scsi")]
    [InlineData("ScsiIoThread", "sda", "Plain Scsi ScsiIoThread")]
    [InlineData("TwoDisks", "vda vdb", "Plain TwoDisks")]
    public void A_canary_has_the_shape_that_it_is_made_for(string name, string targets, string shapes)
    {
        GuestShape shape = Enum.Parse<GuestShape>(name);
        string[] paths = [.. targets.Split(' ').Select(t => $"/w/{t}")];
        var id = Guid.NewGuid();

        ServerDescription canary = DomainXmlReader.Read(
            CanaryXml.Build(Host, "kvm1", id, "c", shape, paths), ServerPowerState.Running, isPersistent: true, activeJob: null);

        Assert.Equal((id, "c", "kvm", "x86_64", "kvm1"), (canary.Id, canary.Name, canary.DomainType, canary.Architecture, canary.CanaryOf));
        Assert.Equal(targets.Split(' '), canary.Disks.Select(d => d.Target));
        Assert.Equal(canary.Disks.Select((_, i) => CanaryXml.TargetOf(shape, i)), canary.Disks.Select(d => d.Target));
        Assert.Equal(paths, canary.Disks.Select(d => Assert.Single(d.Layers).Path));
        Assert.All(canary.Disks, d => Assert.True(d.IsChainEnded));
        Assert.Equal(shapes.Split(' ').Select(Enum.Parse<GuestShape>), GuestShapes.Of(canary.Disks));
    }

    [Fact]
    public void A_guest_without_the_mark_is_no_canary()
    {
        const string Xml = """
            <domain type='kvm'><name>snapshotapi-canary-kvm1-plain</name><uuid>dbf1414a-4229-4cd8-8d07-70002191d4de</uuid>
            <metadata><canary node='kvm1'/></metadata></domain>
            """;

        Assert.Null(DomainXmlReader.Read(Xml, ServerPowerState.Running, true, null).CanaryOf);
    }

    [Fact]
    public void The_host_is_read_from_libvirts_capabilities()
    {
        var host = HypervisorHost.Read(
            "<domainCapabilities><path>/usr/bin/qemu-system-x86_64</path><domain>kvm</domain><arch>x86_64</arch></domainCapabilities>",
            """
            <capabilities><host><secmodel><model>apparmor</model></secmodel><secmodel><model>dac</model>
            <baselabel type='kvm'>+64055:+994</baselabel><baselabel type='qemu'>+1:+2</baselabel></secmodel></host></capabilities>
            """);

        Assert.Equal(Host, host);
    }
}
