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
    [InlineData("http://127.0.0.1:0")]
    [InlineData("http://[::]:5080")]
    [InlineData("http://127.0.0.1:5080;http://host.example:80")]
    [InlineData("http://unix:/run/snapshotapi.sock")]
    [InlineData("")]
    public void Every_address_is_taken_for_each_needs_a_key(string urls)
    {
        Assert.Empty(Check(("Urls", urls)));
        Assert.Empty(Check(("Urls", urls), ("Auth:AllowAnonymousNetwork", "true")));
    }

    [Fact]
    public void A_service_that_listens_nowhere_is_refused()
    {
        Assert.Contains(
            "listen nowhere", Assert.Single(Check(("Urls", ""), ("Socket:Path", ""))), StringComparison.Ordinal);
        Assert.Empty(Check(("Urls", ""), ("Socket:Path", ""), ("Role", "migrate")));
        Assert.Empty(Check(("Urls", ""), ("Socket:Path", ""), ("Kestrel:Endpoints:One:Url", "http://*:80")));
    }

    [Theory]
    [InlineData("relative.sock")]
    [InlineData("/run/a:b.sock")]
    [InlineData("/run/0123456789/0123456789/0123456789/0123456789/0123456789/0123456789/0123456789/0123456789/0123456789/0123456789/x")]
    public void A_path_that_no_socket_can_have_is_refused(string path) => Assert.StartsWith(
        "Socket:Path must be an absolute path", Assert.Single(Check(("Socket:Path", path))), StringComparison.Ordinal);

    [Fact]
    public void A_group_that_is_named_must_be_there()
    {
        Assert.Contains(
            "groupadd --system no-such-group", Assert.Single(Check(("Socket:Group", "no-such-group"))), StringComparison.Ordinal);
        Assert.Empty(Check(("Socket:Group", "root")));
    }

    [Fact]
    public void An_open_network_is_no_way_around_Keystone()
    {
        (string, string)[] cloud =
        [
            ("Nova:Keystone:Url", "http://keystone.example/v3"), ("Nova:Keystone:Username", "s"),
            ("Nova:Keystone:Password", "p"), ("Nova:Keystone:Project", "service"),
            ("Stores:Glance:Endpoint", "http://glance.example:9292"),
        ];

        Assert.Empty(Check(cloud));
        Assert.Contains(
            "past Keystone",
            Assert.Single(Check([.. cloud, ("Auth:AllowAnonymousNetwork", "true")])),
            StringComparison.Ordinal);
        Assert.Empty(Check(
            [
                .. cloud, ("Auth:AllowAnonymousNetwork", "true"), ("Auth:ApiKeys:0:Name", "ops"),
                ("Auth:ApiKeys:0:Key", ApiKeyHash.Text(ApiKeyHash.Of("k"))),
            ]));
    }

    private static IReadOnlyList<string> Check(params (string Key, string Value)[] values) => ConfigurationCheck.Run(
        new ConfigurationBuilder()
            .AddInMemoryCollection(values.Select(v => KeyValuePair.Create(v.Key, (string?)v.Value)))
            .Build());
}
