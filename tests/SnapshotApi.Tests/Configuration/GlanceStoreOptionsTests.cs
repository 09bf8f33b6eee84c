using Microsoft.Extensions.Configuration;
using SnapshotApi.Configuration;

namespace SnapshotApi.Tests.Configuration;

public sealed class GlanceStoreOptionsTests
{
    [Fact]
    public void All_that_is_wrong_is_told_at_once_and_no_secret_with_it()
    {
        IReadOnlyList<string> errors = Check(
            ("Default", "glance"), ("Glance:HashAlgorithm", "md5"), ("Glance:Token", "hunter2"), (
                "Glance:TokenFile", "/etc/hostname"),
            ("Glance:Keystone:Url", "ftp://x"), ("Glance:Keystone:ApplicationCredentialSecret", "hunter2"));

        Assert.Contains("Stores:Default is 'glance', but Stores:Glance:Endpoint is not set.", errors);
        Assert.Contains("Stores:Glance:HashAlgorithm must be 'sha512' or 'sha256'.", errors);
        Assert.Contains("Stores:Glance:Token and Stores:Glance:TokenFile are both set; one is enough.", errors);
        Assert.Contains("Stores:Glance has both a token and a Keystone; one is enough.", errors);
        Assert.Contains(
            "Stores:Glance:Keystone:Url must be an http or https address without user, query and fragment.", errors);
        Assert.Contains("Stores:Glance:Keystone needs either Username or ApplicationCredentialId.", errors);
        Assert.Equal(6, errors.Count);
        Assert.DoesNotContain(errors, e => e.Contains("hunter2", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("http://127.0.0.1:9292")]
    [InlineData("https://glance.example/image/v2/")]
    public void A_store_needs_an_endpoint_only(string endpoint)
    {
        Assert.Empty(Check(("Default", "glance"), ("Glance:Endpoint", endpoint)));
    }

    [Theory]
    [InlineData("glance.example:9292")]
    [InlineData("http://user:password@glance.example")]
    [InlineData("http://glance.example/?token=x")]
    public void An_endpoint_is_an_address_without_secrets(string endpoint)
    {
        string error = Assert.Single(Check(("Glance:Endpoint", endpoint)));

        Assert.StartsWith("Stores:Glance:Endpoint must be", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Username", "u", "needs Project, and Password")]
    [InlineData("ApplicationCredentialId", "c", "needs ApplicationCredentialSecret")]
    public void Keystone_needs_all_of_who_we_are(string key, string value, string problem)
    {
        Assert.Contains(
            problem,
            Assert.Single(Check(("Glance:Keystone:Url", "http://k"), ($"Glance:Keystone:{key}", value))),
            StringComparison.Ordinal);
    }

    [Fact]
    public void Who_we_are_without_a_Keystone_is_a_mistake()
    {
        Assert.Contains(
            "Keystone:Url must be set",
            Assert.Single(Check(("Glance:Keystone:Username", "u"))),
            StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_that_can_not_be_read_is_told_at_start()
    {
        Assert.Contains(
            "TokenFile names a file that can't be read",
            Assert.Single(Check(("Glance:TokenFile", "/nonexistent/token"))),
            StringComparison.Ordinal);
    }

    private static IReadOnlyList<string> Check(params (string Key, string Value)[] values) => ConfigurationCheck.Run(
        new ConfigurationBuilder()
            .AddInMemoryCollection(values.Select(v => KeyValuePair.Create($"Stores:{v.Key}", (string?)v.Value)))
            .Build());
}
