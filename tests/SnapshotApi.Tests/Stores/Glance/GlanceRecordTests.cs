using System.Globalization;
using System.Text.Json.Nodes;
using SnapshotApi.Images;
using SnapshotApi.Stores;
using SnapshotApi.Stores.Glance;

namespace SnapshotApi.Tests.Stores.Glance;

public sealed class GlanceRecordTests
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(1L << 30, 1)]
    [InlineData((1L << 30) + 1, 2)]
    public void The_smallest_disk_that_holds_it_is_in_GiB_rounded_up(long virtualSizeBytes, long minDisk)
    {
        JsonObject record = GlanceRecord.Compose(new ImageDescription(
            Guid.NewGuid(), "n", ImageFormat.Raw, 1, virtualSizeBytes, new Dictionary<string, string> { ["disk_format"] = "raw" }));

        Assert.Equal(minDisk, (long)record["min_disk"]!);
        Assert.Equal("private", (string)record["visibility"]!);
        Assert.Equal("raw", (string)record["disk_format"]!);
    }

    [Theory]
    [InlineData("owner", "x", "is Glance's own")]
    [InlineData("locations", "x", "is Glance's own")]
    [InlineData("os_glance_importing", "x", "is Glance's own")]
    [InlineData("kernel_id", "vmlinuz", "is not the UUID of an image")]
    [InlineData("a\U0001F600", "x", "beyond U+FFFF")]
    [InlineData("a", "\U0001F600", "beyond U+FFFF")]
    public void What_Glance_would_refuse_is_known_before(string key, string value, string problem)
    {
        Assert.Contains(problem, Assert.Single(GlanceRecord.Problems("n", new Dictionary<string, string> { [key] = value })), StringComparison.Ordinal);
    }

    [Fact]
    public void Long_names_and_too_many_properties_are_known_before()
    {
        Dictionary<string, string> most = Enumerable.Range(0, 128).ToDictionary(i => i.ToString(CultureInfo.InvariantCulture), _ => "v");

        Assert.Empty(GlanceRecord.Problems(new string('n', 255), most));
        Assert.Empty(GlanceRecord.Problems("n", new Dictionary<string, string>(most) { ["disk_format"] = "raw", ["container_format"] = "bare" }));
        Assert.Equal(3, GlanceRecord.Problems(new string('n', 256), new Dictionary<string, string>(most) { [new string('k', 256)] = "v" }).Count);
    }

    [Fact]
    public void A_record_that_waits_is_changed_into_that_of_the_image()
    {
        var image = new ImageDescription(
            Guid.NewGuid(), "n", ImageFormat.Raw, 1, 1, new Dictionary<string, string> { ["disk_format"] = "raw", ["a/b~c"] = "x", ["os_type"] = "hvm" });
        GlanceImage record = GlanceImage.Read("""{"status": "queued", "name": "n", "os_type": "linux"}""");

        JsonArray change = GlanceRecord.ComposeChange(image, record);

        Assert.Equal(
            """
            [{"op":"replace","path":"/name","value":"n"},{"op":"replace","path":"/min_disk","value":1},{"op":"replace","path":"/disk_format","value":"raw"},{"op":"add","path":"/a~1b~0c","value":"x"},{"op":"replace","path":"/os_type","value":"hvm"}]
            """,
            change.ToJsonString());
    }
}
