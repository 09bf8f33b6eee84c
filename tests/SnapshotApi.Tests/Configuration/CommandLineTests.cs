using SnapshotApi.Configuration;

namespace SnapshotApi.Tests.Configuration;

public class CommandLineTests
{
    [Theory]
    [InlineData("--role", "api")]
    [InlineData("--role=api")]
    [InlineData("--Node:MaxJobs", "2", "--urls", "http://127.0.0.1:0")]
    [InlineData("--environment=Development", "--contentRoot=/x", "--Serilog:MinimumLevel:Default=Debug")]
    public void Keys_of_the_configuration_go_to_the_host(params string[] arguments)
    {
        CommandLine line = CommandLine.Parse(arguments);

        Assert.False(line.IsAnswered);
        Assert.Equal(arguments, line.HostArguments);
    }

    [Theory]
    [InlineData("'--rol' is not known; see snapshotapi --help", "--rol", "api")]
    [InlineData("'migrate' is not known; see snapshotapi --help", "migrate")]
    [InlineData("'--role' needs a value; see snapshotapi --help", "--role")]
    public void Anything_else_is_an_error(string error, params string[] arguments)
    {
        Assert.Equal(error, CommandLine.Parse(arguments).Error);
    }

    [Theory]
    [InlineData(true, "setup")]
    [InlineData(false, "setup", "--no-restart")]
    public void Setup_is_run_in_place_of_the_service(bool mayRestart, params string[] arguments)
    {
        CommandLine line = CommandLine.Parse(arguments);

        Assert.True(line.IsSetup);
        Assert.False(line.IsAnswered);
        Assert.Equal(mayRestart, line.MayRestart);
    }

    [Fact]
    public void Setup_has_help_of_its_own_and_takes_no_keys()
    {
        Assert.StartsWith(
            "NAME\n    snapshotapi setup - ", CommandLine.Parse(["setup", "--help"]).Answer, StringComparison.Ordinal);
        Assert.Equal(
            "'--role' is not known; see snapshotapi setup --help", CommandLine.Parse(["setup", "--role", "api"]).Error);
        Assert.False(CommandLine.Parse(["--role", "api"]).IsSetup);
    }

    [Fact]
    public void Help_names_every_key_with_its_default_and_meaning()
    {
        string page = CommandLine.Parse(["--role", "api", "--help"]).Answer!;

        Assert.All(ConfigurationKeys.All, key =>
        {
            string head = $"    {key.EnvironmentName} (default {ConfigurationKey.Plain(key.Default)})\n        ";
            Assert.Contains(head + key.PlainMeaning.Split(' ')[0], page, StringComparison.Ordinal);
            Assert.NotEmpty(key.PlainMeaning);
        });
    }

    [Fact]
    public void Help_names_the_keys_that_the_outside_relies_on()
    {
        string[] names =
        [
            "Role", "Urls", "ConnectionStrings__Snapshots", "Node__Name", "Node__LibvirtUri", "Node__WorkDirectory",
            "Node__MaxJobs", "Stores__Default", "Stores__Directory__Path",
            "Auth__ApiKeys__N__Name", "Auth__ApiKeys__N__Key", "Auth__ApiKeys__N__Role",
        ];

        Assert.Subset(ConfigurationKeys.All.Select(k => k.EnvironmentName).ToHashSet(), names.ToHashSet());
    }

    [Theory]
    [InlineData("Node:MaxJobs", "4", "costs up to 40 MiB. 1 to 64.")]
    [InlineData("Node:BandwidthBytesPerSecond", "no limit", "in bytes a second. 64 KiB to 1 TiB.")]
    [InlineData("Node:StallTimeout", "00:02:00", "has failed. 1 s to 1 day.")]
    [InlineData("Jobs:ProgressInterval", "00:00:01", "progress. 100 ms to 1 minute.")]
    [InlineData("Jobs:RefreshTimeout", "00:00:00.400", "published counts. 0 to 5 s.")]
    [InlineData("Jobs:EventRetention", "90.00:00:00", "is kept. 1 hour to 10 years.")]
    [InlineData("Stores:Default", "directory", "names none. One of directory, glance.")]
    [InlineData("Node:Name", "the host's name", "lower-case letters, digits, -, _ and ., at most 64 characters.")]
    [InlineData("Urls", "http://127.0.0.1:5080", "see docs/access.md.")]
    public void A_key_is_described_by_its_options(string name, string value, string end)
    {
        ConfigurationKey key = ConfigurationKeys.All.Single(k => k.Name == name);

        Assert.Equal(value, ConfigurationKey.Plain(key.Default));
        Assert.EndsWith(end, key.PlainMeaning, StringComparison.Ordinal);
    }

    [Fact]
    public void The_version_is_that_of_the_build()
    {
        Assert.Matches(@"^snapshotapi \d+\.\d+\.\d+$", CommandLine.Parse(["--version"]).Answer!);
    }

    [Fact]
    public void Settings_are_read_beside_the_program_and_not_where_it_is_started()
    {
        Assert.Equal(AppContext.BaseDirectory, CommandLine.Parse([]).HostOptions.ContentRootPath);
        Assert.Null(CommandLine.Parse(["--contentRoot=/srv"]).HostOptions.ContentRootPath);
    }
}
