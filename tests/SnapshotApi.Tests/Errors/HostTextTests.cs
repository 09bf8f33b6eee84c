using SnapshotApi.Errors;

namespace SnapshotApi.Tests.Errors;

public sealed class HostTextTests
{
    private static readonly Dictionary<string, string> Targets = new()
    {
        ["/srv/vm/disk.qcow2"] = "vda",
        ["/srv/vm/my disk.qcow2"] = "vdb",
        ["/dev/vg/lv"] = "vdc",
    };

    [Theory]
    [InlineData(
        "Could not open '/srv/x.qcow2': No such file or directory",
        "Could not open '<path>': No such file or directory")]
    [InlineData("Could not open '/srv/a b/c d.qcow2': Permission denied", "Could not open '<path>': Permission denied")]
    [InlineData("Could not open '/srv/it's/x.qcow2': Permission denied", "Could not open '<path>': Permission denied")]
    [InlineData(
        "Failed to bind socket to /var/lib/s/run/J/nbd.sock: Permission denied",
        "Failed to bind socket to <path>: Permission denied")]
    [InlineData(
        "Failed to bind socket to /var/my dir/nbd.sock: Permission denied",
        "Failed to bind socket to <path>: Permission denied")]
    [InlineData("qemu-img: /srv/geheime platte: error while writing", "qemu-img: <path>: error while writing")]
    [InlineData("open of /srv/x failed: Permission denied", "open of <path> failed: Permission denied")]
    [InlineData("Is another process using the image [/srv/x.qcow2]?", "Is another process using the image [<path>]?")]
    [InlineData(
        "cannot access /dev/sdb, nor /dev/disk/by-path/pci-0000:00:1f.2-ata-1.",
        "cannot access <path>, nor <path>.")]
    [InlineData("-drive file=/srv/x.qcow2,if=none: bad", "-drive file=<path>,if=none: bad")]
    [InlineData(
        "-blockdev {\"driver\":\"file\",\"filename\":\"/srv/a b\"}: bad",
        "-blockdev {\"driver\":\"file\",\"filename\":\"<path>\"}: bad")]
    [InlineData("Could not open 'json:{\"file\": {\"filename\": \"/srv/a}b\"}}': bad", "Could not open '<path>': bad")]
    [InlineData("Could not open 'file:/srv/a b/x': bad", "Could not open 'file:<path>': bad")]
    [InlineData("open \"/srv/a b\" and '/srv/c d' and /srv/e", "open \"<path>\" and '<path>' and <path>")]
    [InlineData("first /srv/a\nsecond '/srv/b\nthird", "first <path>\nsecond '<path>\nthird")]
    [InlineData("ib/libvirt/images/x.qcow2: no", "<path>: no")]
    [InlineData("backing file '../base/b.qcow2' is gone", "backing file '<path>' is gone")]
    [InlineData("nbd+unix:///e?socket=/run/x.sock: refused", "nbd+unix:///e?socket=<path>")]
    [InlineData("see file:///srv/x now", "see <path> now")]
    [InlineData("storage:/export/vm is stale", "storage:<path> is stale")]
    [InlineData("can't read (/srv/copy (1).qcow2): no", "can't read (<path>): no")]
    [InlineData("file /srv/a,b.qcow2 is bad", "file <path> is bad")]
    public void A_path_of_the_host_is_replaced(string text, string expected)
    {
        string cleaned = HostText.Clean(text);

        Assert.StartsWith(expected, cleaned, StringComparison.Ordinal);
        Assert.DoesNotContain("/srv", cleaned, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("and/or")]
    [InlineData("I/O error: read/write of 1/2 sectors and/or more")]
    [InlineData("see https://libvirt.org/a/b.html, or qemu:///system")]
    [InlineData("usage is 3 / 4 on / now")]
    [InlineData("<disk></disk><source/> is XML")]
    [InlineData("network 10.0.0.0/8 and /24")]
    [InlineData("virtio-blk/virtio-scsi: n/a")]
    [InlineData("a 'quoted' word")]
    public void What_is_no_path_stays(string text) => Assert.Equal(text, HostText.Clean(text));

    [Fact]
    public void Whatever_the_text_it_ends()
    {
        const string Pieces = "/ab.:'\"json:{}()<>~, \n\\=?http://";
        var random = new Random(1);
        for (int i = 0; i < 20_000; i++)
        {
            string text = string.Concat(Enumerable.Range(0, 24).Select(_ => Pieces[random.Next(Pieces.Length)]));

            Assert.NotNull(HostText.Clean(text, Targets));
        }
    }

    [Theory]
    [InlineData("Could not open '/srv/vm/disk.qcow2': no", "Could not open 'vda': no")]
    [InlineData("Could not open '/srv/vm/my disk.qcow2': no", "Could not open 'vdb': no")]
    [InlineData("read /srv/vm/my disk.qcow2 and /dev/vg/lv.", "read vdb and vdc.")]
    [InlineData("'json:{\"file\":{\"filename\":\"/srv/vm/disk.qcow2\"}}' is bad", "'vda' is bad")]
    [InlineData("/srv/vm/disk.qcow2.bak and /srv/vm/disk.qcow2/x", "<path> and <path>")]
    [InlineData("'/srv/vm/disk.qcow2 old'", "'<path>'")]
    public void A_path_of_a_disk_becomes_its_target(string text, string expected) =>
        Assert.Equal(expected, HostText.Clean(text, Targets));
}
