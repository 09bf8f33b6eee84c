using SnapshotApi.Cli;

namespace SnapshotApi.Tests.Cli.Commands;

public sealed class CompletionTests
{
    private const string Servers = """
        {"items":[{"id":"0199c3d2-7a1e-7c55-9d0e-3f1c2b4a5d6e","name":"web-1"},
        {"id":"0199c3d2-7a1e-7c55-9d0e-3f1c2b4a5d6f","name":"web 2"},
        {"id":"0199c3d2-7a1e-7c55-9d0e-3f1c2b4a5d70","name":"db-1"}]}
        """;

    [Fact]
    public async Task Commands_are_completed_and_options_only_where_one_is_begun()
    {
        Assert.Superset(
            new HashSet<string> { "servers", "snapshot", "jobs", "image" },
            (await CompleteAsync("snapshotctl ")).ToHashSet());
        Assert.DoesNotContain(await CompleteAsync("snapshotctl "), c => c[0] is '-' or '/');
        Assert.Equal(["server", "servers"], (await CompleteAsync("snapshotctl ser")).Order());
        Assert.Contains("--poll", await CompleteAsync("snapshotctl snapshot web-1 x --po"));
        Assert.All(await CompleteAsync("snapshotctl snapshot web-1 x -"), c => Assert.Equal('-', c[0]));
    }

    [Fact]
    public async Task Values_of_an_option_are_completed() => Assert.Equal(
        ["auto", "backup", "cold", "live", "mirror"],
        (await CompleteAsync("snapshotctl snapshot web-1 x --mode ")).Order());

    [Fact]
    public async Task What_stands_behind_the_cursor_does_not_count() =>
        Assert.Equal(["cancel"], await CompleteAsync("snapshotctl can --json", "snapshotctl can".Length));

    [Fact]
    public async Task Names_of_servers_are_asked_of_the_service()
    {
        await using FakeService service = await ServiceAsync();

        Assert.Equal(
            ["web-1", "0199c3d2-7a1e-7c55-9d0e-3f1c2b4a5d6f", "db-1"],
            await CompleteAsync($"snapshotctl --url {service.Url} server "));
        Assert.Equal(["web-1"], await CompleteAsync($"snapshotctl --url {service.Url} snapshot we"));
        Assert.Empty(await CompleteAsync($"snapshotctl --url {service.Url} snapshot web-1 "));
        Assert.Empty(await CompleteAsync($"snapshotctl --url {service.Url} snapshot web-1 x --deadline "));
    }

    [Fact]
    public async Task Ids_are_those_of_images_and_of_jobs()
    {
        await using FakeService service = await ServiceAsync();

        Assert.Equal(["image-1"], await CompleteAsync($"snapshotctl --url {service.Url} image show "));
        Assert.Equal(["job-1"], await CompleteAsync($"snapshotctl --url {service.Url} cancel "));
    }

    [Fact]
    public async Task Without_a_service_nothing_is_completed_and_nothing_else_is_written() =>
        Assert.Empty(await CompleteAsync("snapshotctl --url http://127.0.0.1:1 --json server "));

    private static async Task<FakeService> ServiceAsync()
    {
        FakeService service = await FakeService.StartAsync();
        return service.On("GET /servers", Servers)
            .On("GET /images", """{"items":[{"id":"image-1"}]}""")
            .On("GET /jobs", """{"items":[{"id":"job-1"}]}""");
    }

    private static async Task<string[]> CompleteAsync(string line, int? position = null)
    {
        CliRun run = await CliRun.OfAsync(
            [$"[suggest:{position ?? line.Length}]", line], TimeProvider.System, terminal: false,
            TestContext.Current.CancellationToken);

        Assert.Equal(ExitCode.Ok, run.ExitCode);
        return run.Output.Split(Environment.NewLine, StringSplitOptions.RemoveEmptyEntries);
    }
}
