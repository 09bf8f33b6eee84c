using Microsoft.Extensions.Configuration;
using SnapshotApi.Configuration;

namespace SnapshotApi.Tests.Configuration;

public sealed class LibvirtUriTests
{
    [Theory]
    [InlineData("qemu:///system")]
    [InlineData("qemu+unix:///system")]
    [InlineData("qemu+unix:///system?socket=/run/libvirt/libvirt-sock")]
    [InlineData("lxc:///system")]
    [InlineData("test:///default")]
    public void The_system_of_this_host_is_accepted(string uri) => Assert.Empty(Check(uri));

    [Theory]
    [InlineData("qemu:///session", "one user")]
    [InlineData("qemu+unix:///session", "one user")]
    [InlineData("qemu:///embed?root=/srv", "one user")]
    [InlineData("qemu+ssh://root@kvm2/system", "run a node on that host")]
    [InlineData("qemu+tcp://kvm2/system", "run a node on that host")]
    [InlineData("qemu+tls://kvm2/system", "run a node on that host")]
    [InlineData("qemu+ssh:///system", "run a node on that host")]
    [InlineData("qemu://kvm2/system", "run a node on that host")]
    [InlineData("kvm2", "is no address of libvirt")]
    public void What_can_never_work_is_refused_with_the_cure(string uri, string why)
    {
        string error = Assert.Single(Check(uri));

        Assert.StartsWith("Node:LibvirtUri ", error, StringComparison.Ordinal);
        Assert.Contains(why, error, StringComparison.Ordinal);
        Assert.Contains("qemu:///system", error, StringComparison.Ordinal);
    }

    private static IReadOnlyList<string> Check(string uri) => ConfigurationCheck.Run(
        new ConfigurationBuilder()
            .AddInMemoryCollection(new Dictionary<string, string?> { ["Node:LibvirtUri"] = uri }).Build());
}
