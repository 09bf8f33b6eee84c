using System.Security.Cryptography;
using System.Text;
using SnapshotApi.Configuration;

namespace SnapshotApi.Tests.Configuration;

public sealed class ApiKeyHashTests
{
    [Fact]
    public void A_new_key_is_printed_with_its_hash_and_is_another_each_time()
    {
        string[] lines = CommandLine.Parse(["--new-api-key"]).Answer!.Split('\n');

        string key = lines[0].Split(' ', StringSplitOptions.RemoveEmptyEntries)[1];
        string hash = lines[1].Split(' ', StringSplitOptions.RemoveEmptyEntries)[1];
        Assert.Equal(2, lines.Length);
        Assert.Matches("^sapi_[A-Za-z0-9_-]{43}$", key);
        Assert.Equal("sha256:" + Convert.ToHexStringLower(SHA256.HashData(Encoding.ASCII.GetBytes(key))), hash);
        Assert.NotEqual(key, ApiKeyHash.NewKey());
    }

    [Theory]
    [InlineData("sapi_0123456789")]
    [InlineData("sha256:")]
    [InlineData("sha256:ab")]
    [InlineData("md5:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")]
    [InlineData("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")]
    [InlineData("sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a0g")]
    [InlineData("sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\n")]
    public void What_is_no_hash_is_none(string text)
    {
        Assert.Null(ApiKeyHash.Parse(text));
    }

    [Fact]
    public void A_hash_is_read_in_either_case()
    {
        byte[] hash = ApiKeyHash.Of("k");

        Assert.Equal(hash, ApiKeyHash.Parse(ApiKeyHash.Text(hash)));
        Assert.Equal(hash, ApiKeyHash.Parse(ApiKeyHash.Text(hash).ToUpperInvariant()));
    }
}
