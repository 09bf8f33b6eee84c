using System.Text.Json;
using SnapshotApi.Cli;

namespace SnapshotApi.Tests.Cli.Rendering;

public sealed class ManualPageTests
{
    [Theory]
    [InlineData("servers")]
    [InlineData("server")]
    [InlineData("snapshot")]
    [InlineData("jobs")]
    [InlineData("job")]
    [InlineData("events")]
    [InlineData("cancel")]
    [InlineData("images")]
    [InlineData("image show")]
    [InlineData("image download")]
    [InlineData("image delete")]
    [InlineData("nodes")]
    [InlineData("health")]
    public async Task Every_command_has_a_page_with_examples_and_exit_status(string command)
    {
        CliRun run = await RunAsync([.. command.Split(' '), "--help"]);

        Assert.Equal(ExitCode.Ok, run.ExitCode);
        Assert.StartsWith($"NAME\n    snapshotctl {command} - ", run.Output, StringComparison.Ordinal);
        Assert.All(
            ["SYNOPSIS\n", "COMMON OPTIONS\n", "EXAMPLES\n", "EXIT STATUS\n", "ENVIRONMENT\n", $"$ snapshotctl {command}"],
            part => Assert.Contains(part, run.Output, StringComparison.Ordinal));
        Assert.Equal("", run.Error);
    }

    [Fact]
    public async Task Every_variable_is_in_the_page()
    {
        CliRun run = await RunAsync(["servers", "--help"]);

        string environment = run.Output[run.Output.IndexOf("ENVIRONMENT\n", StringComparison.Ordinal)..];
        Assert.All(
            ["SNAPSHOTAPI_URL", "SNAPSHOTCTL_API_KEY", "SNAPSHOTCTL_API_KEY_FILE", "NO_COLOR"],
            name => Assert.Contains($"    {name}\n", environment, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("invalid_usage")]
    [InlineData("invalid_usage", "nonsense")]
    [InlineData("invalid_usage", "image")]
    [InlineData("invalid_usage", "jobs", "--limit", "0")]
    [InlineData("invalid_url", "nodes", "--url", "ftp://host")]
    [InlineData("invalid_key", "nodes", "--api-key-file", "/nonexistent/key")]
    public async Task Json_is_one_problem_document_also_when_nothing_can_be_asked(string code, params string[] args)
    {
        CliRun run = await RunAsync([.. args, "--json"]);

        Assert.Equal(ExitCode.Usage, run.ExitCode);
        JsonElement problem = JsonElement.Parse(run.Output);
        Assert.Equal(code, problem.GetProperty("code").GetString());
        Assert.NotEqual("", problem.GetProperty("detail").GetString());
        Assert.NotEqual("", run.Error);
    }

    [Fact]
    public async Task The_first_page_names_every_command()
    {
        CliRun run = await RunAsync(["--help"]);

        Assert.All(
            ["servers\n", "server SERVER\n", "snapshot SERVER NAME\n", "image COMMAND\n", "health\n"],
            line => Assert.Contains("    " + line, run.Output, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData]
    [InlineData("image")]
    [InlineData("nonsense")]
    [InlineData("job")]
    [InlineData("jobs", "--limit", "0")]
    [InlineData("jobs", "--status", "done")]
    public async Task An_incomplete_or_wrong_command_line_is_a_usage_error(params string[] args)
    {
        CliRun run = await RunAsync(args);

        Assert.Equal(ExitCode.Usage, run.ExitCode);
        Assert.Equal("", run.Output);
        Assert.NotEqual("", run.Error);
    }

    private static Task<CliRun> RunAsync(string[] args) =>
        CliRun.OfAsync(args, TimeProvider.System, terminal: false, TestContext.Current.CancellationToken);
}
