using System.Text.Json;
using SnapshotApi.Cli;

namespace SnapshotApi.Tests.Cli.Commands;

public sealed class ListCommandTests
{
    [Fact]
    public async Task Servers_lists_what_the_nodes_run()
    {
        await using FakeService service = await FakeService.StartAsync();
        service.On("GET /servers", Samples.Page(Samples.Server()));

        CliRun run = await CliRun.OfAsync(service, "servers");

        Assert.Equal(ExitCode.Ok, run.ExitCode);
        string[] lines = run.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(2, lines.Length);
        Assert.Equal(["ID", "NAME", "NODE", "POWER", "AGENT", "DISKS", "BUSY", "WITH"], lines[0].Split(' ', StringSplitOptions.RemoveEmptyEntries));
        Assert.Equal([Samples.ServerId, "web-1", "kvm1", "running", "connected", "vda", "-"], lines[1].Split(' ', StringSplitOptions.RemoveEmptyEntries));
        Assert.Equal("", run.Error);
    }

    [Fact]
    public async Task Servers_can_be_chosen_by_name_pattern_and_node()
    {
        await using FakeService service = await FakeService.StartAsync();
        service.On("GET /servers", Samples.Page(Samples.Server("web-2", "kvm2"), Samples.Server("db-1", "kvm2")));

        CliRun run = await CliRun.OfAsync(service, "servers", "--name", "web-*", "--node", "kvm2", "--json");

        Assert.Equal("?node=kvm2&limit=200", Assert.Single(service.Requests).Query);
        JsonElement only = Assert.Single(JsonDocument.Parse(run.Output).RootElement.EnumerateArray());
        Assert.Equal("web-2", only.GetProperty("name").GetString());
        Assert.Equal("vda", only.GetProperty("disks")[0].GetProperty("target").GetString());
    }

    [Fact]
    public async Task All_pages_are_read_and_only_the_query_of_the_next_address_is_used()
    {
        await using FakeService service = await FakeService.StartAsync();
        service.On("GET /servers", context => Microsoft.AspNetCore.Http.HttpResponseWritingExtensions.WriteAsync(
            context.Response,
            context.Request.Query["cursor"] == "2"
                ? Samples.Page(Samples.Server("second"))
                : $$"""{"items":[{{Samples.Server("first")}}],"next":"http://elsewhere.invalid/steal?cursor=2"}"""));

        CliRun run = await CliRun.OfAsync(service, "servers");

        Assert.Equal(ExitCode.Ok, run.ExitCode);
        Assert.Contains("first", run.Output, StringComparison.Ordinal);
        Assert.Contains("second", run.Output, StringComparison.Ordinal);
        Assert.Equal(["?limit=200", "?cursor=2"], service.Requests.Select(r => r.Query));
    }

    [Fact]
    public async Task An_empty_list_says_so_on_standard_error()
    {
        await using FakeService service = await FakeService.StartAsync();
        service.On("GET /servers", Samples.Page());

        CliRun plain = await CliRun.OfAsync(service, "servers");
        CliRun json = await CliRun.OfAsync(service, "servers", "--json");

        Assert.Equal((ExitCode.Ok, "", "no servers\n"), (plain.ExitCode, plain.Output, plain.Error));
        Assert.Equal("[]\n", json.Output);
    }

    [Fact]
    public async Task A_hostile_name_reaches_the_terminal_only_as_an_escape()
    {
        await using FakeService service = await FakeService.StartAsync();
        service.On("GET /servers", Samples.Page(Samples.Server("\\u001b]0;pwned\\u0007")));

        CliRun plain = await CliRun.OfAsync(service, "servers");
        CliRun json = await CliRun.OfAsync(service, "servers", "--json");
        CliRun terminal = await CliRun.OfAsync(
            ["--url", service.Url, "--no-color", "servers"], TimeProvider.System, terminal: true, TestContext.Current.CancellationToken);

        Assert.Contains("\\x1b]0;pwned\\x07", plain.Output, StringComparison.Ordinal);
        Assert.All([plain.Output, json.Output], text => Assert.DoesNotContain(text, c => char.IsControl(c) && c != '\n'));
        Assert.DoesNotContain("\u001b]0;", terminal.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Jobs_passes_its_filters_on_and_stops_at_the_limit()
    {
        await using FakeService service = await FakeService.StartAsync();
        service.On("GET /jobs", Samples.Page(Samples.Job(), Samples.Job("failed"), Samples.Job("succeeded")));

        CliRun run = await CliRun.OfAsync(
            service, "jobs", "--server", "web 1", "--node", "kvm1", "--status", "running", "--status", "failed", "--limit", "2");

        Assert.Equal(ExitCode.Ok, run.ExitCode);
        Assert.Equal("?server=web%201&node=kvm1&status=running&status=failed&limit=2", Assert.Single(service.Requests).Query);
        Assert.Equal(3, run.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
        Assert.Matches("snap1 +running +uploading +40% +backup +2026-03-01 10:00:00Z", run.Output);
    }

    [Fact]
    public async Task Images_are_chosen_by_server()
    {
        await using FakeService service = await FakeService.StartAsync();
        service.On("GET /images", Samples.Page(Samples.Image(3 << 20, "ab")));

        CliRun run = await CliRun.OfAsync(service, "images", "--server", "web 1");

        Assert.Equal("?server=web%201&limit=200", Assert.Single(service.Requests).Query);
        Assert.Matches($"{Samples.ImageId} +snap1 +web-1 +vda +qcow2 +3\\.0 MiB +2\\.0 GiB +directory +kvm1", run.Output);
    }

    [Fact]
    public async Task Nodes_shows_versions_room_and_problems()
    {
        await using FakeService service = await FakeService.StartAsync();
        service.On("GET /nodes", Samples.Page("""
            {"name":"kvm1","isConnected":true,"capabilities":{"driver":"QEMU","libvirtVersion":"9.0.0","hypervisorVersion":"7.2.0",
             "captures":["cold","mirror","backup"]},"serviceVersion":"0.1.0","workFreeBytes":1073741824,"storeFreeBytes":2147483648,
             "maxJobs":4,"runningJobs":1,"problems":["a thaw of web-1 is outstanding"],"seenAt":"2026-03-01T10:00:00Z"}
            """));

        CliRun run = await CliRun.OfAsync(service, "nodes");

        Assert.Equal(ExitCode.Ok, run.ExitCode);
        Assert.Matches("kvm1 +9\\.0\\.0 +7\\.2\\.0 +cold,mirror,backup +1/4 +1\\.0 GiB +2\\.0 GiB +0\\.1\\.0", run.Output);
        Assert.Equal("kvm1: a thaw of web-1 is outstanding\n", run.Error);
    }

    [Fact]
    public async Task Events_shows_the_step_log()
    {
        await using FakeService service = await FakeService.StartAsync();
        service.On($"GET /jobs/{Samples.JobId}/events", Samples.Page(
            """{"sequence":1,"at":"2026-03-01T10:00:00Z","kind":"accepted","step":"pending","message":null,"durationMs":null}""",
            """{"sequence":2,"at":"2026-03-01T10:00:05Z","kind":"step","step":"saving","message":"memory is saved","durationMs":2140}"""));

        CliRun run = await CliRun.OfAsync(service, "events", Samples.JobId);

        Assert.Equal(ExitCode.Ok, run.ExitCode);
        Assert.Matches("2026-03-01 10:00:05Z +step +saving +2\\.1 s +memory is saved", run.Output);
    }
}
