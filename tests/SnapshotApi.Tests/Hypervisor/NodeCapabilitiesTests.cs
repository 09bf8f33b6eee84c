using SnapshotApi.Hypervisor;

namespace SnapshotApi.Tests.Hypervisor;

public sealed class NodeCapabilitiesTests
{
    [Theory]
    [InlineData("0.10.2", "1.3.0", false, false, false, false)]
    [InlineData("1.0.0", "1.2.9", false, false, false, false)]
    [InlineData("1.0.0", "1.3.0", true, false, false, false)]
    [InlineData("3.4.9", "4.2.0", true, false, false, false)]
    [InlineData("3.5.0", "4.1.9", true, true, false, false)]
    [InlineData("6.0.0", "4.2.0", true, true, true, false)]
    [InlineData("7.0.0", "5.2.0", true, true, true, false)]
    [InlineData("8.0.0", "6.2.0", true, true, true, false)]
    [InlineData("8.9.0", "7.1.0", true, true, true, true)]
    [InlineData("10.0.0", "8.2.0", true, true, true, true)]
    public void What_libvirt_and_QEMU_can_do_is_told_by_their_versions(
        string libvirt, string qemu, bool canRebase, bool canCopy, bool canBackup, bool canKeepTpm)
    {
        var node = new NodeCapabilities("QEMU", new Version(libvirt), new Version(qemu));

        Assert.Equal(
            (canRebase, canCopy, canBackup, canKeepTpm),
            (node.CanBlockRebase, node.CanBlockCopyTransient, node.CanBackup, node.CanKeepTpm));
    }

    [Fact]
    public void Another_driver_can_do_none_of_it()
    {
        var node = new NodeCapabilities("LXC", new Version(10, 0, 0), new Version(8, 2, 0));

        Assert.False(node.CanBlockRebase || node.CanBlockCopyTransient || node.CanBackup);
    }
}
