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
        string[] names = ["Role", "Urls", "ConnectionStrings__Snapshots", "Node__Name", "Node__LibvirtUri", "Node__WorkDirectory",
            "Node__MaxJobs", "Stores__Default", "Stores__Directory__Path",
            "Auth__ApiKeys__N__Name", "Auth__ApiKeys__N__Key", "Auth__ApiKeys__N__Role"];

        Assert.Subset(ConfigurationKeys.All.Select(k => k.EnvironmentName).ToHashSet(), names.ToHashSet());
    }

    [Theory]
    [InlineData("Node:MaxJobs", "4", "How many jobs the node runs at once. More do not read a disk faster, and each costs up to 40 MiB. 1 to 64.")]
    [InlineData("Node:BandwidthBytesPerSecond", "no limit", "What all jobs of the node together may read of disks, in bytes a second. 64 KiB to 1 TiB.")]
    [InlineData("Jobs:ProgressInterval", "00:00:00.500", "Shortest time between two writes of a job's progress. 100 ms to 1 minute.")]
    [InlineData("Jobs:EventRetention", "90.00:00:00", "How long the step log of a finished job is kept. 1 hour to 10 years.")]
    [InlineData("Stores:Default", "directory", "Store of a request that names none. One of directory, glance.")]
    [InlineData("Node:Name", "the host's name", "Name of the node, unique among those that share a database: lower-case letters, digits, -, _ and ., at most 64 characters.")]
    public void A_key_is_described_by_its_options(string name, string value, string meaning)
    {
        ConfigurationKey key = ConfigurationKeys.All.Single(k => k.Name == name);

        Assert.Equal(value, ConfigurationKey.Plain(key.Default));
        Assert.Equal(meaning, key.PlainMeaning);
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
