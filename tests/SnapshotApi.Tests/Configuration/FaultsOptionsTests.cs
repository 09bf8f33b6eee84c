using SnapshotApi.Configuration;

namespace SnapshotApi.Tests.Configuration;

public sealed class FaultsOptionsTests
{
    [Fact]
    public void A_directory_alone_arms_nothing_and_is_refused()
    {
        Assert.Contains(
            "needs Faults:Armed=true", Fail(new FaultsOptions { Directory = "/tmp/f" }), StringComparison.Ordinal);
    }

    [Fact]
    public void A_switch_without_a_directory_is_refused()
    {
        Assert.Contains("needs Faults:Directory", Fail(new FaultsOptions { Armed = true }), StringComparison.Ordinal);
    }

    [Fact]
    public void A_relative_directory_is_refused()
    {
        Assert.Contains(
            "absolute", Fail(new FaultsOptions { Armed = true, Directory = "f" }), StringComparison.Ordinal);
    }

    [Fact]
    public void Nothing_and_both_are_right()
    {
        Assert.True(Validate(new FaultsOptions()).Succeeded);
        Assert.True(Validate(new FaultsOptions { Armed = true, Directory = "/tmp/f" }).Succeeded);
    }

    private static string Fail(FaultsOptions options) => Assert.Single(Validate(options).Failures!);

    private static Microsoft.Extensions.Options.ValidateOptionsResult Validate(FaultsOptions options) =>
        new FaultsOptionsValidator().Validate(null, options);
}
