using SnapshotApi.Api;
using SnapshotApi.Images;
using SnapshotApi.Persistence;
using SnapshotApi.Stores;

namespace SnapshotApi.Tests.Api;

public class DownloadNameTests
{
    [Theory]
    [InlineData("snap1", "snap1-vda.qcow2")]
    [InlineData("../../etc/passwd", "_.._etc_passwd-vda.qcow2")]
    [InlineData("-rf ~", "rf__-vda.qcow2")]
    [InlineData("a\"b;c\r\n", "a_b_c__-vda.qcow2")]
    [InlineData("...", "00000000-0000-0000-0000-000000000000-vda.qcow2")]
    public void A_name_is_harmless_in_any_directory(string name, string expected)
    {
        Assert.Equal(expected, DownloadName.Of(ImageNamed(name)));
    }

    [Fact]
    public void A_long_name_is_cut()
    {
        Assert.InRange(DownloadName.Of(ImageNamed(new string('x', 255))).Length, 1, 100);
    }

    [Fact]
    public void The_digest_header_is_that_of_RFC_9530()
    {
        Assert.Equal("sha-256=:AQL/:", ReprDigest.Of(new Digest("sha256", "0102ff")));
        Assert.Null(ReprDigest.Of(new Digest("md5", "00")));
    }

    private static ImageRecord ImageNamed(string name) => new(
        new StoredImage(Guid.Empty, "directory", "x.qcow2", ImageFormat.Qcow2, 1, new Digest("sha256", "00")),
        name, Guid.Empty, Guid.Empty, "s", "n", "vda", 1, new Dictionary<string, string>(), default);
}
