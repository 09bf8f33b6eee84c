using Microsoft.Extensions.Configuration;
using SnapshotApi.Configuration;

namespace SnapshotApi.Tests.Configuration;

public class ConfigurationCheckTests
{
    [Fact]
    public void The_defaults_are_right()
    {
        Assert.Empty(Check());
    }

    [Fact]
    public void All_that_is_wrong_is_told_at_once_by_its_key()
    {
        IReadOnlyList<string> errors = Check(
            ("Urls", "ftp://x"), ("Node:MaxJobs", "65"), ("Node:Name", "A B"), ("Stores:Directory:Path", "relative"),
            ("Database:MaxPoolSize", "1"), ("ConnectionStrings:Snapshots", "Bogus=1"), ("Stores:Glance:MaxJobs", "65"));

        Assert.Equal(7, errors.Count);
        Assert.Contains("Stores:Glance:MaxJobs must be between 1 and 64.", errors);
        Assert.Contains("Node:MaxJobs must be between 1 and 64.", errors);
        Assert.Contains("Database:MaxPoolSize must be between 5 and 1000.", errors);
        Assert.Contains("Stores:Directory:Path must be an absolute path.", errors);
        Assert.DoesNotContain(errors, e => e.Contains("Options", StringComparison.Ordinal));
    }

    [Fact]
    public void Unknown_keys_and_wrong_types_are_told_before_values()
    {
        IReadOnlyList<string> errors = Check(
            ("Node:MaxJob", "4"), ("Node:MaxJobs", "many"), ("Role", "boss"), ("Node:StallTimeout", "2 minutes"));

        Assert.Equal(
            [
                "Node:MaxJob is not a key of the configuration; --help lists all.",
                "Role must be all, api, node, migrate; it is 'boss'.",
                "Node:MaxJobs must be a whole number; it is 'many'.",
                "Node:StallTimeout must be a time such as 00:00:30; it is '2 minutes'.",
            ],
            errors);
    }

    [Theory]
    [InlineData("http://0.0.0.0:5080")]
    [InlineData("http://*:5080")]
    [InlineData("http://+:5080")]
    [InlineData("http://[::]:5080")]
    [InlineData("http://192.0.2.1:5080")]
    [InlineData("http://127.0.0.1:5080;http://host.example:80")]
    public void An_address_that_others_reach_is_refused_while_nobody_is_asked_who_he_is(string urls)
    {
        Assert.Contains("where other hosts reach it", Assert.Single(Check(("Urls", urls))), StringComparison.Ordinal);
        Assert.Empty(Check(("Urls", urls), ("Auth:AllowAnonymousNetwork", "true")));
    }

    [Theory]
    [InlineData("http://127.0.0.1:0")]
    [InlineData("http://localhost:5080")]
    [InlineData("http://[::1]:5080;http://127.0.0.2:81")]
    [InlineData("http://unix:/run/snapshotapi.sock")]
    public void An_address_of_this_host_is_taken(string urls)
    {
        Assert.Empty(Check(("Urls", urls)));
    }

    [Fact]
    public void Kestrels_own_endpoints_are_no_way_around()
    {
        Assert.Single(Check(("Kestrel:Endpoints:Open:Url", "http://*:80")));
    }

    private static IReadOnlyList<string> Check(params (string Key, string Value)[] values) => ConfigurationCheck.Run(
        new ConfigurationBuilder()
            .AddInMemoryCollection(values.Select(v => KeyValuePair.Create(v.Key, (string?)v.Value)))
            .Build());
}
