using System.Text;
using System.Text.Json;
using SnapshotApi.Api;
using SnapshotApi.Api.Validation;
using SnapshotApi.Captures;
using SnapshotApi.Contracts;
using SnapshotApi.Errors;
using SnapshotApi.Images;
using SnapshotApi.Snapshots;

namespace SnapshotApi.Tests.Api.Validation;

public class SnapshotRequestReaderTests
{
    [Fact]
    public void Only_the_name_is_needed()
    {
        SnapshotRequest request = Read("""{"name":"snap1"}""");

        Assert.Equal("snap1", request.Name);
        Assert.Equal(SnapshotMode.Auto, request.Mode);
        Assert.Equal(["root"], request.Disks);
        Assert.Equal(QuiesceMode.Auto, request.Quiesce);
        Assert.Null(request.Format);
        Assert.Null(request.Store);
        Assert.Empty(request.Metadata);
    }

    [Fact]
    public void Every_member_is_taken()
    {
        SnapshotRequest request = Read("""
            {"name":"n","mode":"mirror","format":"raw","compression":"none","disks":["vda","vdb"],"quiesce":"required",
             "store":"directory","metadata":{"k":"v","empty":""},"sparsify":"never","internalSnapshot":false,
             "blockRebase":true,"bandwidthBytesPerSecond":1048576,"deadlineSeconds":60}
            """);

        Assert.Equal(SnapshotMode.Mirror, request.Mode);
        Assert.Equal(ImageFormat.Raw, request.Format);
        Assert.Equal(["vda", "vdb"], request.Disks);
        Assert.Equal(QuiesceMode.Required, request.Quiesce);
        Assert.Equal("directory", request.Store);
        Assert.Equal("v", request.Metadata["k"]);
        Assert.Equal(string.Empty, request.Metadata["empty"]);
        Assert.True(request.BlockRebase);
        Assert.Equal(1048576, request.BandwidthBytesPerSecond);
        Assert.Equal(60, request.DeadlineSeconds);
    }

    [Theory]
    [InlineData("zstd", 1)]
    [InlineData("zstd", 19)]
    [InlineData("zlib", 9)]
    public void Compression_has_levels(string compression, int level)
    {
        SnapshotRequest request = Read(
            $$"""{"name":"n","compression":"{{compression}}","compressionLevel":{{level}}}""");

        Assert.Equal(compression, request.Compression.ToString().ToLowerInvariant());
        Assert.Equal(level, request.CompressionLevel);
        Assert.Equal(Sparsify.Auto, request.Sparsify);
    }

    [Theory]
    [InlineData("\"format\":\"raw\",\"compression\":\"zstd\"", "compression", "needs format qcow2")]
    [InlineData("\"format\":\"vmdk\",\"compression\":\"zlib\"", "compression", "needs format qcow2")]
    [InlineData("\"compressionLevel\":3", "compressionLevel", "needs compression zstd or zlib")]
    [InlineData(
        "\"compression\":\"none\",\"compressionLevel\":3", "compressionLevel", "needs compression zstd or zlib")]
    [InlineData(
        "\"compression\":\"zlib\",\"compressionLevel\":10",
        "compressionLevel",
        "must be from 1 to 9 with this compression")]
    [InlineData("\"compression\":\"lzma\"", "compression", "must be one of none, zstd, zlib")]
    [InlineData("\"sparsify\":\"often\"", "sparsify", "must be one of auto, always, never")]
    [InlineData("\"format\":\"vhd\"", "format", "must be one of qcow2, raw, vmdk, vdi, vhdx")]
    public void Formats_and_compressions_that_do_not_fit_are_refused(string members, string field, string message)
    {
        Assert.Equal(message, Assert.Single(ErrorsOf($$"""{"name":"n",{{members}}}""")[field]));
    }

    [Fact]
    public void Null_is_the_same_as_leaving_a_member_out()
    {
        SnapshotRequest request = Read(
            """{"name":"n","mode":null,"disks":null,"metadata":null,"deadlineSeconds":null,"blockRebase":null}""");

        Assert.Equal(SnapshotMode.Auto, request.Mode);
        Assert.Equal(["root"], request.Disks);
        Assert.Null(request.DeadlineSeconds);
    }

    [Fact]
    public void All_wrong_members_are_told_at_once()
    {
        Dictionary<string, IReadOnlyList<string>> errors = ErrorsOf("""
            {"mode":"warm","format":7,"disks":[],"quiesce":true,"metadata":{"a":1,"b":{}},"bandwidthBytesPerSecond":1,
             "deadlineSeconds":1.5,"internalSnapshot":"yes","colour":"red"}
            """);

        Assert.Equal(
            [
                "bandwidthBytesPerSecond", "colour", "deadlineSeconds", "disks", "format", "internalSnapshot",
                "metadata.a", "metadata.b", "mode", "name", "quiesce",
            ],
            errors.Keys.Order(StringComparer.Ordinal));
        Assert.Equal("must be one of auto, live, cold, mirror, backup", Assert.Single(errors["mode"]));
        Assert.Equal("must be text; it is a number", Assert.Single(errors["format"]));
        Assert.Contains("known are name, mode,", Assert.Single(errors["colour"]), StringComparison.Ordinal);
        Assert.Equal("is required", Assert.Single(errors["name"]));
    }

    [Theory]
    [InlineData("\"\"", "must have 1 to 255 characters; it has 0")]
    [InlineData("\"   \"", "must not be blank")]
    [InlineData("\"a\\u0000b\"", "must not hold control characters or line separators")]
    [InlineData("\"a\\nb\"", "must not hold control characters or line separators")]
    [InlineData("\"a\\u0085b\"", "must not hold control characters or line separators")]
    [InlineData("\"a\\u2028b\"", "must not hold control characters or line separators")]
    [InlineData("\"\\ud800\"", "must be valid Unicode")]
    [InlineData("null", "is required")]
    [InlineData("[]", "must be text; it is an array")]
    [InlineData("true", "must be text; it is true or false")]
    public void A_bad_name_is_refused(string name, string message)
    {
        Assert.Equal(message, Assert.Single(ErrorsOf($$"""{"name":{{name}}}""")["name"]));
    }

    [Theory]
    [InlineData("../../etc/passwd")]
    [InlineData("a/b")]
    [InlineData("<script>alert(1)</script>")]
    [InlineData("-rf")]
    [InlineData("naïve 名前 🐧")]
    public void Any_other_text_is_a_name(string name)
    {
        Assert.Equal(name, Read(JsonSerializer.Serialize(new { name })).Name);
    }

    [Fact]
    public void The_length_of_a_name_is_counted_in_characters()
    {
        string longest = string.Concat(Enumerable.Repeat("🐧", 255));

        Assert.Equal(longest, Read(JsonSerializer.Serialize(new { name = longest })).Name);
        Assert.Equal(
            "must have 1 to 255 characters; it has 256",
            Assert.Single(ErrorsOf(JsonSerializer.Serialize(new { name = longest + "x" }))["name"]));
    }

    [Theory]
    [InlineData("\"root\"", "root")]
    [InlineData("\"all\"", "all")]
    [InlineData("[\"sda\"]", "sda")]
    public void Disks_have_two_forms(string disks, string first)
    {
        Assert.Equal([first], Read($$"""{"name":"n","disks":{{disks}}}""").Disks);
    }

    [Theory]
    [InlineData("\"vda\"")]
    [InlineData("[\"root\"]")]
    [InlineData("[\"all\",\"vda\"]")]
    [InlineData("[\"vda\",\"vda\"]")]
    [InlineData("[\"../vda\"]")]
    [InlineData("[\"vda\\n\"]")]
    [InlineData("[\"\\udc00\"]")]
    [InlineData("[1]")]
    [InlineData("{}")]
    [InlineData("7")]
    public void Other_disks_are_refused(string disks)
    {
        Assert.Equal(["disks"], ErrorsOf($$"""{"name":"n","disks":{{disks}}}""").Keys);
    }

    [Theory]
    [InlineData("65535", false)]
    [InlineData("65536", true)]
    [InlineData("1099511627776", true)]
    [InlineData("1099511627777", false)]
    [InlineData("1e6", false)]
    [InlineData("-1", false)]
    [InlineData("99999999999999999999999", false)]
    [InlineData("\"65536\"", false)]
    public void Bandwidth_has_a_range(string value, bool isGood)
    {
        string body = $$"""{"name":"n","bandwidthBytesPerSecond":{{value}}}""";
        if (isGood)
        {
            Assert.NotNull(Read(body).BandwidthBytesPerSecond);
        }
        else
        {
            Assert.Equal(["bandwidthBytesPerSecond"], ErrorsOf(body).Keys);
        }
    }

    [Fact]
    public void Metadata_is_limited_in_keys_values_and_all()
    {
        string many = JsonSerializer.Serialize(
            new { name = "n", metadata = Enumerable.Range(0, 129).ToDictionary(i => $"k{i}", _ => "v") });
        string large = JsonSerializer.Serialize(new
        {
            name = "n",
            metadata = Enumerable.Range(0, 128).ToDictionary(i => $"k{i}", _ => new string('ü', 255)),
        });

        Assert.Equal("must have at most 128 keys; it has 129", Assert.Single(ErrorsOf(many)["metadata"]));
        Assert.StartsWith(
            "must hold at most 32768 bytes in all",
            Assert.Single(ErrorsOf(large)["metadata"]),
            StringComparison.Ordinal);
        Assert.Contains(
            "which must have 1 to 255 characters",
            Assert.Single(ErrorsOf("""{"name":"n","metadata":{"":"v"}}""")["metadata"]),
            StringComparison.Ordinal);
        Assert.Contains(
            "'a?b'",
            Assert.Single(ErrorsOf("""{"name":"n","metadata":{"a\nb":"v"}}""")["metadata"]),
            StringComparison.Ordinal);
        Assert.Equal(
            ["metadata.k"],
            ErrorsOf(JsonSerializer.Serialize(new { name = "n", metadata = new { k = new string('x', 256) } })).Keys);
        Assert.Equal(["metadata.k"], ErrorsOf("""{"name":"n","metadata":{"k":"1","k":"2"}}""").Keys);
    }

    [Theory]
    [InlineData("""{"name":"n","internalSnapshot":true}""", "internalSnapshot")]
    [InlineData("""{"name":"n","internalSnapshot":true,"mode":"live"}""", "internalSnapshot")]
    [InlineData("""{"name":"n","blockRebase":true,"mode":"cold"}""", "blockRebase")]
    [InlineData("""{"name":"n","blockRebase":true,"mode":"backup"}""", "blockRebase")]
    public void Options_that_exclude_each_other_are_refused(string body, string field)
    {
        Assert.Equal([field], ErrorsOf(body).Keys);
    }

    [Theory]
    [InlineData("""{"name":"n","internalSnapshot":true,"mode":"cold"}""")]
    [InlineData("""{"name":"n","blockRebase":true}""")]
    [InlineData("""{"name":"n","blockRebase":true,"mode":"live"}""")]
    public void Options_that_go_together_are_taken(string body)
    {
        Assert.Equal("n", Read(body).Name);
    }

    [Theory]
    [InlineData("", "is empty; it must be a JSON object with at least the member name")]
    [InlineData("[]", "must be a JSON object")]
    [InlineData("\"x\"", "must be a JSON object")]
    [InlineData("{\"name\":\"n\",}", "is not valid JSON at line 1, byte 13")]
    [InlineData("{\n\"name\": x}", "is not valid JSON at line 2, byte 9")]
    [InlineData("{\"name\":\"n\"", "is not valid JSON at line 1, byte 12")]
    public void What_is_no_JSON_object_is_refused(string body, string message)
    {
        Assert.Equal(message, Assert.Single(ErrorsOf(body)["body"]));
    }

    [Fact]
    public void Text_that_is_not_Unicode_is_refused()
    {
        Assert.Equal(["body"], ErrorsOf("""{"name":"n","\ud800":1}""").Keys);
        Assert.Equal(["name"], ErrorsOf([.. "{\"name\":\""u8, 0xFF, .. "\"}"u8]).Keys);
    }

    [Fact]
    public void A_repeated_member_is_refused()
    {
        Assert.Equal("is given more than once", Assert.Single(ErrorsOf("""{"name":"a","name":"b"}""")["name"]));
    }

    [Fact]
    public void Deep_nesting_is_refused()
    {
        Assert.Equal(["body"], ErrorsOf($$"""{"name":{{new string('[', 1000)}}{{new string(']', 1000)}}}""").Keys);
    }

    [Fact]
    public void A_flood_of_wrong_members_is_told_in_part()
    {
        string body = "{" + string.Join(",", Enumerable.Range(0, 5000).Select(i => $"\"x{i}\":1")) + "}";

        Assert.Equal(100, ErrorsOf(body).Count);
    }

    [Fact]
    public void What_is_documented_is_what_is_read()
    {
        IReadOnlyList<string> documented = JsonFields.MembersOf<SnapshotBody>();
        string body = "{" + string.Join(",", documented.Select(name => $"\"{name}\":[]")) + "}";
        // A reserved image comes with a request of Nova's clients only.
        IEnumerable<string> stored = typeof(SnapshotRequest).GetProperties().Where(
            p => p.CanWrite && p.Name != nameof(SnapshotRequest.Reserved))
            .Select(p => JsonNamingPolicy.CamelCase.ConvertName(p.Name));

        Assert.Equal(documented.Order(), ErrorsOf(body).Keys.Order());
        Assert.Equal(documented.Order(), stored.Order());
    }

    private static SnapshotRequest Read(string body) => SnapshotRequestReader.Read(Encoding.UTF8.GetBytes(body));

    private static Dictionary<string, IReadOnlyList<string>> ErrorsOf(string body) => ErrorsOf(
        Encoding.UTF8.GetBytes(body));

    private static Dictionary<string, IReadOnlyList<string>> ErrorsOf(byte[] body)
    {
        var exception = Assert.Throws<SnapshotException>(() => SnapshotRequestReader.Read(body));
        Assert.Equal(SnapshotErrorCode.InvalidRequest, exception.Code);
        return Assert.IsType<Dictionary<string, IReadOnlyList<string>>>(exception.Details[ProblemWriter.ErrorsKey]);
    }
}
