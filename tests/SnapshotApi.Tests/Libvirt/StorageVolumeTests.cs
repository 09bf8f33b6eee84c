using System.Text.RegularExpressions;
using SnapshotApi.Hypervisor;
using SnapshotApi.Libvirt;

namespace SnapshotApi.Tests.Libvirt;

[Collection(TestDriver.Collection)]
public sealed class StorageVolumeTests
{
    private const string Xml =
        """
        <domain type='test'><name>volumes</name><memory>65536</memory><os><type>hvm</type></os><devices>
        <disk type='volume' device='disk'><driver name='qemu' type='qcow2'/><source pool='POOL' volume='VOLUME'/><target dev='vda' bus='virtio'/></disk>
        </devices></domain>
        """;

    [Theory]
    [InlineData("no-such-pool", "v", "which this node does not have")]
    [InlineData("default-pool", "no-such-volume", "which the pool does not list")]
    public void A_volume_that_is_not_there_is_told_in_words(string pool, string volume, string words)
    {
        using LibvirtConnection connection = TestDriver.Open();
        using LibvirtDomain domain = connection.DefineXml(
            Regex.Replace(Regex.Replace(Xml, "POOL", pool), "VOLUME", volume));

        DiskLayer layer = Assert.Single(
            Assert.Single(DomainDescriber.WithVolumes(domain, DomainDescriber.Describe(domain)).Disks).Layers);

        Assert.Equal(("volume", null), (layer.SourceType, layer.Path));
        Assert.Contains(words, layer.PathObstacle, StringComparison.Ordinal);
    }
}
