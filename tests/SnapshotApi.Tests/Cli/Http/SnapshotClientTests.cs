using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using SnapshotApi.Cli;
using SnapshotApi.Tests.Fakes;

namespace SnapshotApi.Tests.Cli.Http;

public sealed class SnapshotClientTests
{
    [Theory]
    [InlineData(400, ExitCode.Usage)]
    [InlineData(401, ExitCode.Denied)]
    [InlineData(403, ExitCode.Denied)]
    [InlineData(404, ExitCode.NotFound)]
    [InlineData(409, ExitCode.Conflict)]
    [InlineData(422, ExitCode.Usage)]
    [InlineData(429, ExitCode.Conflict)]
    [InlineData(500, ExitCode.Unavailable)]
    [InlineData(503, ExitCode.Unavailable)]
    public async Task Each_kind_of_refusal_has_its_exit_status(int status, int exitCode)
    {
        await using FakeService service = await FakeService.StartAsync();
        service.On("GET /nodes", """{"title":"No.","code":"some_code","detail":"because"}""", status);

        CliRun run = await CliRun.OfAsync(service, "nodes");

        Assert.Equal((exitCode, "snapshotctl: No (some_code): because\n", ""), (run.ExitCode, run.Error, run.Output));
    }

    [Fact]
    public async Task An_error_that_is_no_problem_document_is_told_by_its_status()
    {
        await using FakeService service = await FakeService.StartAsync();
        service.On("GET /nodes", "<html>Bad Gateway</html>", status: 502);

        CliRun run = await CliRun.OfAsync(service, "nodes", "--json");

        Assert.Equal(ExitCode.Unavailable, run.ExitCode);
        Assert.Equal("snapshotctl: HTTP 502 Bad Gateway\n", run.Error);
        Assert.Equal(502, JsonDocument.Parse(run.Output).RootElement.GetProperty("status").GetInt32());
    }

    [Theory]
    [InlineData("<html></html>")]
    [InlineData("[]")]
    [InlineData("\"text\"")]
    [InlineData("null")]
    [InlineData("{\"items\":7}")]
    public async Task What_is_not_the_service_is_not_believed(string body)
    {
        await using FakeService service = await FakeService.StartAsync();
        service.On("GET /nodes", body);

        CliRun run = await CliRun.OfAsync(service, "nodes");

        Assert.Equal(ExitCode.Unavailable, run.ExitCode);
        Assert.StartsWith("snapshotctl: ", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task No_connection_and_no_answer_in_time_are_both_unavailable()
    {
        using var unused = new TcpListener(IPAddress.Loopback, 0);
        unused.Start();
        int port = ((IPEndPoint)unused.LocalEndpoint).Port;

        CliRun silent = await CliRun.OfAsync(
            ["--url", $"http://127.0.0.1:{port}", "--timeout", "1", "nodes"],
            new HastyTimeProvider(),
            terminal: false,
            TestContext.Current.CancellationToken);
        unused.Stop();
        CliRun refused = await CliRun.OfAsync(
            ["--url", $"http://127.0.0.1:{port}", "nodes", "--json"], TimeProvider.System, terminal: false, TestContext.Current.CancellationToken);

        Assert.Equal((ExitCode.Unavailable, ExitCode.Unavailable), (silent.ExitCode, refused.ExitCode));
        Assert.Contains("within 1 s", silent.Error, StringComparison.Ordinal);
        Assert.Contains("cannot reach", refused.Error, StringComparison.Ordinal);
        Assert.Equal("service_unreachable", JsonDocument.Parse(refused.Output).RootElement.GetProperty("code").GetString());
    }

    [Fact]
    public async Task The_address_comes_from_the_option_else_from_the_environment_and_keeps_its_path()
    {
        await using FakeService service = await FakeService.StartAsync();
        service.On("GET /snapshots/nodes", Samples.Page());

        CliRun run = await CliRun.OfAsync(
            ["nodes"], TimeProvider.System, terminal: false, TestContext.Current.CancellationToken, ("SNAPSHOTAPI_URL", service.Url + "/snapshots"));

        Assert.Equal(ExitCode.Ok, run.ExitCode);
        Assert.StartsWith("snapshotctl/", Assert.Single(service.Requests).Header("User-Agent"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("not a url")]
    [InlineData("ftp://host")]
    [InlineData("/relative")]
    public async Task A_url_that_is_none_is_a_usage_error(string url)
    {
        CliRun run = await CliRun.OfAsync(
            ["--url", url, "nodes"], TimeProvider.System, terminal: false, TestContext.Current.CancellationToken);

        Assert.Equal(ExitCode.Usage, run.ExitCode);
    }

    [Fact]
    public async Task A_redirect_is_not_followed()
    {
        await using FakeService service = await FakeService.StartAsync();
        service.On("GET /nodes", context =>
        {
            context.Response.Redirect(service.Url + "/elsewhere");
            return Task.CompletedTask;
        });

        CliRun run = await CliRun.OfAsync(service, "nodes");

        Assert.NotEqual(ExitCode.Ok, run.ExitCode);
        Assert.Single(service.Requests);
    }
}
