using System.Text.Json;
using SnapshotApi.Cli;

namespace SnapshotApi.Tests.Cli.Commands;

public sealed class ShowCommandTests
{
    [Fact]
    public async Task Server_shows_its_disks()
    {
        await using FakeService service = await FakeService.StartAsync();
        service.On("GET /servers/web-1", Samples.Server());

        CliRun run = await CliRun.OfAsync(service, "server", "web-1");

        Assert.Equal(ExitCode.Ok, run.ExitCode);
        Assert.Matches("Guest agent: +connected", run.Output);
        Assert.Matches("vda +disk +file +qcow2 +3 +boots 1", run.Output);
        Assert.Matches("sda +cdrom +file +raw +1 +read-only", run.Output);
    }

    [Fact]
    public async Task A_reference_is_escaped_in_the_path()
    {
        await using FakeService service = await FakeService.StartAsync();

        CliRun run = await CliRun.OfAsync(service, "server", "a b?c=d#e");

        Assert.Equal(ExitCode.NotFound, run.ExitCode);
        Assert.Equal("GET /servers/a b?c=d#e", Assert.Single(service.Requests).Call);
    }

    [Theory]
    [InlineData("..")]
    [InlineData(".")]
    [InlineData("")]
    public async Task A_reference_that_would_change_the_path_is_refused_without_a_call(string reference)
    {
        await using FakeService service = await FakeService.StartAsync();

        CliRun run = await CliRun.OfAsync(service, "server", reference);

        Assert.Equal(ExitCode.Usage, run.ExitCode);
        Assert.Empty(service.Requests);
    }

    [Fact]
    public async Task Job_without_wait_shows_a_failed_job_and_exits_with_success()
    {
        await using FakeService service = await FakeService.StartAsync();
        string failed = Samples.Job("failed", "uploading").Replace(
            "\"error\":null", "\"error\":{\"code\":\"no_space\",\"message\":\"the store is full\",\"step\":\"uploading\"}", StringComparison.Ordinal);
        service.On($"GET /jobs/{Samples.JobId}", failed);

        CliRun run = await CliRun.OfAsync(service, "job", Samples.JobId);

        Assert.Equal(ExitCode.Ok, run.ExitCode);
        Assert.Contains("the store is full (no_space, in step uploading)", run.Output, StringComparison.Ordinal);
        Assert.Matches("Capture: +backup \\(the node can\\)", run.Output);
    }

    [Fact]
    public async Task Json_passes_the_whole_document_on()
    {
        await using FakeService service = await FakeService.StartAsync();
        service.On($"GET /jobs/{Samples.JobId}", Samples.Job(more: ",\"addedLater\":[1,2]"));

        CliRun run = await CliRun.OfAsync(service, "job", Samples.JobId, "--json");

        JsonElement job = JsonDocument.Parse(run.Output).RootElement;
        Assert.Equal(2, job.GetProperty("addedLater").GetArrayLength());
        Assert.Equal("", run.Error);
    }

    [Fact]
    public async Task Image_show_lists_its_properties_and_digest()
    {
        await using FakeService service = await FakeService.StartAsync();
        service.On($"GET /images/{Samples.ImageId}", Samples.Image(1234567, "00ff"));

        CliRun run = await CliRun.OfAsync(service, "image", "show", Samples.ImageId);

        Assert.Equal(ExitCode.Ok, run.ExitCode);
        Assert.Matches("File size: +1\\.2 MiB \\(1234567 bytes\\)", run.Output);
        Assert.Matches("Digest: +sha256:00ff", run.Output);
        Assert.Matches("purpose +test", run.Output);
    }

    [Fact]
    public async Task Image_delete_deletes_and_answers_also_when_the_service_says_nothing()
    {
        await using FakeService service = await FakeService.StartAsync();
        service.On($"DELETE /images/{Samples.ImageId}", context =>
        {
            context.Response.StatusCode = 204;
            return Task.CompletedTask;
        });

        CliRun plain = await CliRun.OfAsync(service, "image", "delete", Samples.ImageId);
        CliRun json = await CliRun.OfAsync(service, "image", "delete", Samples.ImageId, "--json");

        Assert.Equal((ExitCode.Ok, $"image {Samples.ImageId} deleted\n"), (plain.ExitCode, plain.Output));
        Assert.Equal(Samples.ImageId, JsonDocument.Parse(json.Output).RootElement.GetProperty("id").GetString());
    }

    [Fact]
    public async Task Cancel_asks_for_it_and_a_final_job_is_a_conflict()
    {
        await using FakeService service = await FakeService.StartAsync();
        service.On($"DELETE /jobs/{Samples.JobId}", Samples.Job(), status: 202);
        CliRun accepted = await CliRun.OfAsync(service, "cancel", Samples.JobId);

        service.On(
            $"DELETE /jobs/{Samples.JobId}",
            """{"title":"The state does not allow this.","status":409,"code":"state_conflict","detail":"the job is final"}""",
            status: 409);
        CliRun refused = await CliRun.OfAsync(service, "cancel", Samples.JobId);

        Assert.Equal((ExitCode.Ok, $"cancel of job {Samples.JobId} requested\n"), (accepted.ExitCode, accepted.Output));
        Assert.Equal(
            (ExitCode.Conflict, "snapshotctl: The state does not allow this (state_conflict): the job is final\n"),
            (refused.ExitCode, refused.Error));
    }

    [Theory]
    [InlineData("20M", """{"bandwidthBytesPerSecond":20971520}""")]
    [InlineData("none", """{"bandwidthBytesPerSecond":null}""")]
    public async Task Limit_sends_a_merge_patch_and_shows_the_job(string rate, string body)
    {
        await using FakeService service = await FakeService.StartAsync();
        service.On($"PATCH /jobs/{Samples.JobId}", Samples.Job());

        CliRun run = await CliRun.OfAsync(service, "limit", Samples.JobId, rate);
        CliRun wrong = await CliRun.OfAsync(service, "limit", Samples.JobId, "fast");

        Asked sent = Assert.Single(service.Requests);
        Assert.Equal((ExitCode.Ok, body), (run.ExitCode, sent.Body));
        Assert.StartsWith("application/merge-patch+json", sent.Header("Content-Type"), StringComparison.Ordinal);
        Assert.Contains(Samples.JobId, run.Output, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Usage, wrong.ExitCode);
        Assert.Contains("'fast' is not a rate", wrong.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(200, "ready", true, ExitCode.Ok)]
    [InlineData(503, "not_ready", false, ExitCode.Unavailable)]
    public async Task Health_says_which_part_is_not_ready(int status, string word, bool isReady, int exitCode)
    {
        await using FakeService service = await FakeService.StartAsync();
        service.On(
            "GET /health/ready",
            $$"""
            {"status":"{{word}}","version":"0.1.0","role":"all","parts":[{"name":"database","isReady":true,"message":null},
             {"name":"hypervisor","isReady":{{(isReady ? "true" : "false")}},"message":"libvirt 9.0.0"}]}
            """,
            status);

        CliRun run = await CliRun.OfAsync(service, "health");

        Assert.Equal(exitCode, run.ExitCode);
        Assert.StartsWith($"{word} (version 0.1.0, role all)\n", run.Output, StringComparison.Ordinal);
        Assert.Matches($"hypervisor +{(isReady ? "ready" : "not ready")} +libvirt 9\\.0\\.0", run.Output);
    }
}
