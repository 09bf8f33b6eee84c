using SnapshotApi.Hypervisor;
using SnapshotApi.Libvirt;

namespace SnapshotApi.Tests.Hypervisor;

/// <summary>The words are those of libvirt 9.0.</summary>
public sealed class LibvirtTroubleTests
{
    [Theory]
    [InlineData(
        "Failed to connect socket to '/var/run/libvirt/libvirt-sock': Permission denied",
        "this service may not use libvirt's socket: run it as root, or put its user into the group libvirt")]
    [InlineData(
        "Failed to connect socket to '/var/run/libvirt/libvirt-sock': No such file or directory",
        "libvirt's socket is not there: install libvirt-daemon-system, or start libvirtd")]
    [InlineData(
        "Failed to connect socket to '/var/run/libvirt/libvirt-sock': Connection refused",
        "libvirt's daemon does not run: start libvirtd")]
    [InlineData(
        "authentication unavailable: no polkit agent available to authenticate action 'org.libvirt.unix.manage'",
        "libvirt does not let this service's user in: ")]
    [InlineData(
        "internal error: Unable to get system bus connection: Could not connect: Refused",
        "libvirt does not let this service's user in: ")]
    [InlineData("no connection driver available for lxc:///system", "libvirt has no driver for Node__LibvirtUri: ")]
    [InlineData("client socket is closed", "libvirt does not answer; ")]
    public void A_connection_that_fails_is_told_in_libvirts_words_with_the_cure(string words, string sentence)
    {
        string told = LibvirtTrouble.NoConnection(Failure(words));

        Assert.StartsWith(sentence, told, StringComparison.Ordinal);
        Assert.Contains("; libvirt says: ", told, StringComparison.Ordinal);
        Assert.EndsWith(words.Split(": ")[^1], told, StringComparison.Ordinal);
        Assert.DoesNotContain("/var/", told, StringComparison.Ordinal);
    }

    [Fact]
    public void A_client_library_that_is_missing_is_named() => Assert.Contains(
        "install libvirt0", LibvirtTrouble.NoConnection(new DllNotFoundException("libvirt.so.0")),
        StringComparison.Ordinal);

    [Theory]
    [InlineData(
        "internal error: unable to execute QEMU command 'nbd-server-start': Failed to bind socket to <path>: Denied",
        true)]
    [InlineData("Could not open '<path>': Permission denied", true)]
    [InlineData("Requested operation is not valid: domain is not running", false)]
    public void A_denial_is_told_with_who_may_forbid_it(string words, bool isDenial)
    {
        LibvirtException failure = Failure(words);

        string told = LibvirtTrouble.Failed(failure, words);

        Assert.StartsWith($"virConnectOpen failed: {words}", told, StringComparison.Ordinal);
        Assert.Equal(isDenial, LibvirtTrouble.IsDenial(failure));
        Assert.Equal(isDenial, told.Contains("AppArmor, SELinux", StringComparison.Ordinal));
    }

    private static LibvirtException Failure(string words) =>
        new("virConnectOpen", LibvirtErrorCode.SystemError, LibvirtErrorSource.Rpc, words);
}
