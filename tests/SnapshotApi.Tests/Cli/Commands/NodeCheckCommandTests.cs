using System.Text.Json;
using SnapshotApi.Cli;

namespace SnapshotApi.Tests.Cli.Commands;

public sealed class NodeCheckCommandTests
{
    private const string Proved = """{"capture":"mirror","shape":"io_thread","outcome":"proved"}""";

    private const string Failed =
        """{"capture":"backup","shape":"io_thread","outcome":"failed","reason":"QEMU ended","cure":"take auto"}""";

    [Fact]
    public async Task A_check_is_asked_for_and_not_waited_for()
    {
        await using FakeService service = await FakeService.StartAsync();
        service.On("POST /nodes/kvm1/check", Node("checked", 1), status: 202);

        CliRun run = await CliRun.OfAsync(service, "node", "check", "kvm1");

        Assert.Equal(ExitCode.Ok, run.ExitCode);
        Assert.Equal("check of node kvm1 requested\n", run.Output);
    }

    [Fact]
    public async Task Polling_waits_for_a_later_check_and_shows_it()
    {
        await using FakeService service = await FakeService.StartAsync();
        service.On("GET /nodes", Samples.Page(Node("checked", 1)));
        service.On("POST /nodes/kvm1/check", Node("checked", 1), status: 202);
        service.OnEach(
            "GET /nodes/kvm1",
            c => WriteAsync(c, Node("checked", 1)),
            c => WriteAsync(c, Node("checking", 2)),
            c => WriteAsync(c, Node("checked", 2, $"{Proved},{Failed}", "\"backup is disabled\"")));

        CliRun run = await CliRun.OfAsync(service, "node", "check", "--poll");

        Assert.Equal(ExitCode.Failed, run.ExitCode);
        string[] lines = run.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(["GUEST", "MIRROR", "BACKUP"], lines[0].Split(' ', StringSplitOptions.RemoveEmptyEntries));
        Assert.Equal(["io", "thread", "proved", "disabled"], lines[1].Split(' ', StringSplitOptions.RemoveEmptyEntries));
        Assert.Contains("backup is disabled", run.Error, StringComparison.Ordinal);
        Assert.Equal(3, service.Requests.Count(r => r.Call == "GET /nodes/kvm1"));
    }

    [Fact]
    public async Task A_sound_node_is_success_and_its_document_is_passed_on()
    {
        await using FakeService service = await FakeService.StartAsync();
        service.On("POST /nodes/kvm1/check", """{"name":"kvm1","check":null}""", status: 202);
        service.On("GET /nodes/kvm1", Node("checked", 2, Proved));

        CliRun run = await CliRun.OfAsync(service, "node", "check", "kvm1", "--poll", "--json");

        Assert.Equal(ExitCode.Ok, run.ExitCode);
        Assert.Equal("checked", JsonDocument.Parse(run.Output).RootElement.GetProperty("check").GetProperty("status").GetString());
    }

    [Fact]
    public async Task Of_several_nodes_one_must_be_named()
    {
        await using FakeService service = await FakeService.StartAsync();
        service.On("GET /nodes", Samples.Page("""{"name":"kvm1"}""", """{"name":"kvm2"}"""));

        CliRun run = await CliRun.OfAsync(service, "node", "check");

        Assert.Equal(ExitCode.Usage, run.ExitCode);
        Assert.Contains("kvm1, kvm2", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Nodes_says_which_captures_are_disabled()
    {
        await using FakeService service = await FakeService.StartAsync();
        service.On("GET /nodes", Samples.Page(Node("checked", 1, Failed, "\"backup is disabled for guests with an I/O thread\"")));

        CliRun run = await CliRun.OfAsync(service, "nodes");

        Assert.Equal(ExitCode.Ok, run.ExitCode);
        Assert.Contains("kvm1: backup is disabled for guests with an I/O thread", run.Error, StringComparison.Ordinal);
    }

    private static string Node(string status, int day, string results = "", string problems = "") => $$"""
        {"name":"kvm1","isConnected":true,"problems":[],
         "check":{"status":"{{status}}","startedAt":"2026-03-0{{day}}T10:00:00Z","endedAt":null,"problems":[{{problems}}],"results":[{{results}}]} }
        """;

    private static Task WriteAsync(Microsoft.AspNetCore.Http.HttpContext context, string json)
    {
        context.Response.ContentType = "application/json";
        return Microsoft.AspNetCore.Http.HttpResponseWritingExtensions.WriteAsync(context.Response, json);
    }
}
