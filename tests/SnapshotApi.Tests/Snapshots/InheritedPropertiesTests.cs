using SnapshotApi.Snapshots;
using SnapshotApi.Stores;

namespace SnapshotApi.Tests.Snapshots;

public sealed class InheritedPropertiesTests
{
    [Fact]
    public void Properties_are_inherited_but_attributes_signatures_keys_and_caches_are_not()
    {
        string[] stays = ["hw_disk_bus", "os_distro", "kernel_id", "ramdisk_id", "architecture"];
        string[] goes =
        [
            "id", "name", "status", "owner", "size", "checksum", "os_hash_value", "direct_url", "locations", "container_format", "disk_format", "img_signature",
            "img_signature_key_type", "cinder_encryption_key_id", "cinder_encryption_key_deletion_policy", "os_glance_import_task", "cache_in_nova", "bittorrent",
            "block_device_mapping", "bdm_v2", "root_device_name", "base_image_ref", "instance_uuid", "snapshotapi_job",
        ];
        var inherited = new Dictionary<string, string>();

        InheritedProperties.CopyTo(inherited, new BaseImage("bare", stays.Concat(goes).ToDictionary(k => k, _ => "v")));

        Assert.Equal(stays.Order(), inherited.Keys.Order());
    }

    [Theory]
    [InlineData("linux", true)]
    [InlineData("Windows", true)]
    [InlineData("hvm", false)]
    public void An_operating_system_is_inherited_only_if_Nova_would_boot_it(string value, bool isInherited)
    {
        var inherited = new Dictionary<string, string>();

        InheritedProperties.CopyTo(inherited, new BaseImage("bare", new Dictionary<string, string> { ["os_type"] = value }));

        Assert.Equal(isInherited, inherited.ContainsKey("os_type"));
    }

    [Fact]
    public void Without_a_base_nothing_is()
    {
        var inherited = new Dictionary<string, string>();

        InheritedProperties.CopyTo(inherited, null);

        Assert.Empty(inherited);
    }
}
