using SnapshotApi.Cli;
using SnapshotApi.Tests.Fakes;
using SnapshotApi.Tests.Nbd;

namespace SnapshotApi.Tests.Cli.Commands;

public sealed class ApiKeySourceTests : IDisposable
{
    private const string Key = "sapi_of-a-test";

    private readonly ScratchDirectory _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Fact]
    public async Task The_key_comes_from_the_option_else_from_the_environment()
    {
        string file = File("key", Key + "\n");

        Assert.Equal($"Bearer {Key}", await SentAsync([], ("SNAPSHOTCTL_API_KEY", Key)));
        Assert.Equal($"Bearer {Key}", await SentAsync([], ("SNAPSHOTCTL_API_KEY_FILE", file)));
        Assert.Equal($"Bearer {Key}", await SentAsync(["--api-key-file", file], ("SNAPSHOTCTL_API_KEY", "other")));
        Assert.Equal("Bearer one", await SentAsync([], ("SNAPSHOTCTL_API_KEY", "one"), ("SNAPSHOTCTL_API_KEY_FILE", file)));
        Assert.Null(await SentAsync([]));
    }

    [Theory]
    [InlineData("")]
    [InlineData("\n")]
    [InlineData("two\nlines")]
    [InlineData("with blank")]
    [InlineData("schl\u00fcssel")]
    public async Task What_is_no_key_is_a_usage_error_and_not_repeated(string text)
    {
        CliRun run = await RunAsync(["--api-key-file", File("key", text)]);

        Assert.Equal((ExitCode.Usage, ""), (run.ExitCode, run.Output));
        Assert.Contains("holds no API key", run.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("two", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_file_that_is_not_there_is_a_usage_error()
    {
        CliRun run = await RunAsync(["--api-key-file", _scratch.File("missing")]);

        Assert.Equal(ExitCode.Usage, run.ExitCode);
        Assert.Contains("can't be read", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_key_that_is_refused_is_its_own_exit_status_and_not_repeated()
    {
        await using FakeService service = await FakeService.StartAsync();
        service.On("GET /nodes", """{"title":"It is not known who asks.","code":"unauthorized","status":401,"detail":"no"}""", status: 401);

        CliRun run = await RunAsync(["--url", service.Url], ("SNAPSHOTCTL_API_KEY", Key));

        Assert.Equal(ExitCode.Denied, run.ExitCode);
        Assert.DoesNotContain(Key, run.Error + run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Liveness_is_asked_for_alone()
    {
        await using FakeService service = await FakeService.StartAsync();
        service.On("GET /health/live", """{"status":"live","version":"1.2.3"}""");

        CliRun run = await CliRun.OfAsync(service, "health", "--live");

        Assert.Equal((ExitCode.Ok, "live (version 1.2.3)\n"), (run.ExitCode, run.Output));
    }

    private static Task<CliRun> RunAsync(string[] options, params (string, string)[] environment) => CliRun.OfAsync(
        [.. options, "nodes"], new HastyTimeProvider(), terminal: false, TestContext.Current.CancellationToken, environment);

    private static async Task<string?> SentAsync(string[] options, params (string, string)[] environment)
    {
        await using FakeService service = await FakeService.StartAsync();
        service.On("GET /nodes", Samples.Page());
        CliRun run = await RunAsync(["--url", service.Url, .. options], environment);
        Assert.Equal(ExitCode.Ok, run.ExitCode);
        return Assert.Single(service.Requests).Header("Authorization");
    }

    private string File(string name, string text)
    {
        string path = _scratch.File(name);
        System.IO.File.WriteAllText(path, text);
        return path;
    }
}
