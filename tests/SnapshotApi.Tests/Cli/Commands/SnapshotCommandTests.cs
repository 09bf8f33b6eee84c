using System.Text.Json;
using Microsoft.AspNetCore.Http;
using SnapshotApi.Cli;
using SnapshotApi.Tests.Fakes;

namespace SnapshotApi.Tests.Cli.Commands;

public sealed class SnapshotCommandTests
{
    private const string Post = "POST /servers/web-1/snapshots";
    private const string Get = $"GET /jobs/{Samples.JobId}";

    [Fact]
    public async Task Only_what_was_asked_for_is_sent()
    {
        await using FakeService service = await FakeService.StartAsync();
        service.On(Post, Samples.Job("queued", "pending", 0), status: 202);

        CliRun run = await CliRun.OfAsync(service, "snapshot", "web-1", "snap1");

        Asked asked = Assert.Single(service.Requests);
        Assert.Equal(ExitCode.Ok, run.ExitCode);
        Assert.Equal("""{"name":"snap1"}""", asked.Body);
        Assert.Equal("application/json", asked.Header("Content-Type"));
        Assert.Matches("^snapshotctl-[0-9a-f]{32}$", asked.Header("Idempotency-Key"));
        Assert.Matches($"Job: +{Samples.JobId}", run.Output);
    }

    [Fact]
    public async Task Every_option_has_its_member()
    {
        await using FakeService service = await FakeService.StartAsync();
        service.On(Post, Samples.Job("queued", "pending", 0), status: 202);

        CliRun run = await CliRun.OfAsync(
            service, "snapshot", "web-1", "snap 1", "--mode", "mirror", "--format", "qcow2", "--compression", "zstd",
            "--compression-level", "5", "--sparsify", "always", "--disks", "vda, vdb", "--quiesce", "required",
            "--store", "directory", "--metadata", "a=1", "--metadata", "b=x=y", "--block-rebase", "--internal-snapshot",
            "--bandwidth", "50M", "--deadline", "2h", "--idempotency-key", "k-1");

        Assert.Equal(ExitCode.Ok, run.ExitCode);
        Asked asked = Assert.Single(service.Requests);
        Assert.Equal("k-1", asked.Header("Idempotency-Key"));
        Assert.Equal(
            """
            {"name":"snap 1","mode":"mirror","format":"qcow2","compression":"zstd","compressionLevel":5,"sparsify":"always","disks":["vda","vdb"],"quiesce":"required","store":"directory","metadata":{"a":"1","b":"x=y"},"internalSnapshot":true,"blockRebase":true,"bandwidthBytesPerSecond":52428800,"deadlineSeconds":7200}
            """,
            asked.Body);
    }

    [Theory]
    [InlineData("--json")]
    [InlineData("--idempotency-key", "k-1")]
    public async Task A_request_whose_answer_was_cut_off_is_sent_once_more_with_the_same_key(params string[] options)
    {
        await using FakeService service = await FakeService.StartAsync();
        service.OnEach(Post, Cut, Answer(Samples.Job("queued", "pending", 0), "\"1\""));

        CliRun run = await CliRun.OfAsync(service, ["snapshot", "web-1", "snap1", .. options]);

        Assert.Equal(ExitCode.Ok, run.ExitCode);
        Assert.Equal(2, service.Requests.Count);
        Assert.Single(service.Requests.Select(r => (r.Body, r.Header("Idempotency-Key"))).Distinct());
    }

    [Fact]
    public async Task A_request_is_not_sent_a_third_time()
    {
        await using FakeService service = await FakeService.StartAsync();
        service.On(Post, Cut);

        CliRun run = await CliRun.OfAsync(service, "snapshot", "web-1", "snap1");

        Assert.Equal((ExitCode.Unavailable, 2), (run.ExitCode, service.Requests.Count));
    }

    [Theory]
    [InlineData("root", "\"root\"")]
    [InlineData("all", "\"all\"")]
    [InlineData("vda", "[\"vda\"]")]
    public async Task Disks_are_a_word_or_a_list(string text, string json)
    {
        await using FakeService service = await FakeService.StartAsync();
        service.On(Post, Samples.Job("queued", "pending", 0), status: 202);

        await CliRun.OfAsync(service, "snapshot", "web-1", "snap1", "--disks", text);

        Assert.Equal($$"""{"name":"snap1","disks":{{json}}}""", Assert.Single(service.Requests).Body);
    }

    [Theory]
    [InlineData("--mode", "warm")]
    [InlineData("--format", "vhd")]
    [InlineData("--metadata", "novalue")]
    [InlineData("--metadata", "=value")]
    [InlineData("--bandwidth", "fast")]
    [InlineData("--deadline", "soon")]
    [InlineData("--idempotency-key", "with space")]
    [InlineData("--unknown", "x")]
    public async Task A_wrong_option_is_a_usage_error_and_nothing_is_asked(string option, string value)
    {
        await using FakeService service = await FakeService.StartAsync();

        CliRun run = await CliRun.OfAsync(service, "snapshot", "web-1", "snap1", option, value);

        Assert.Equal(ExitCode.Usage, run.ExitCode);
        Assert.Empty(service.Requests);
        Assert.Contains("snapshotctl snapshot --help", run.Error, StringComparison.Ordinal);
        Assert.Equal("", run.Output);
    }

    [Fact]
    public async Task A_metadata_key_given_twice_is_a_usage_error()
    {
        await using FakeService service = await FakeService.StartAsync();

        CliRun run = await CliRun.OfAsync(service, "snapshot", "web-1", "snap1", "--metadata", "a=1", "--metadata", "a=2");

        Assert.Equal(ExitCode.Usage, run.ExitCode);
        Assert.Contains("the key 'a' is given twice", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Poll_follows_the_job_by_long_polls_to_its_image()
    {
        await using FakeService service = await FakeService.StartAsync();
        service.On(Post, Samples.Job("queued", "pending", 0), status: 202, etag: "\"1\"");
        service.OnEach(
            Get,
            Answer(Samples.Job("running", "uploading", 40), "\"2\""),
            Unchanged,
            Answer(Samples.Job("succeeded", "finished", 100, image: true), "\"3\""));

        CliRun run = await CliRun.OfAsync(service, "snapshot", "web-1", "snap1", "--poll");

        Assert.Equal(ExitCode.Ok, run.ExitCode);
        Asked[] polls = [.. service.Requests.Where(r => r.Call == Get)];
        Assert.Equal(["", "?wait=30", "?wait=30"], polls.Select(p => p.Query));
        Assert.Equal([null, "\"2\"", "\"2\""], polls.Select(p => p.Header("If-None-Match")));
        Assert.Equal(
            "snap1 of web-1 (backup): running, uploading: 40%, 400 MiB / 1000 MiB, 100 MiB/s, 0:06 left\n"
            + "snap1 of web-1 (backup): succeeded: 100%, 1000 MiB / 1000 MiB\n",
            run.Error);
        Assert.Matches($"vda +2\\.0 GiB +1000 MiB +qcow2 +1\\.0 MiB +directory +{Samples.ImageId}\n", run.Output);
        Assert.Contains("Digest of vda:  sha256:ab12\n", run.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("failed", ExitCode.Failed)]
    [InlineData("cancelled", ExitCode.Cancelled)]
    public async Task The_outcome_of_the_job_is_the_exit_status(string status, int exitCode)
    {
        await using FakeService service = await FakeService.StartAsync();
        service.On(Post, Samples.Job("queued", "pending", 0), status: 202);
        service.On(Get, Samples.Job(status, "finished", 40));

        CliRun poll = await CliRun.OfAsync(service, "snapshot", "web-1", "snap1", "--poll");
        CliRun wait = await CliRun.OfAsync(service, "job", Samples.JobId, "--wait", "--json");

        Assert.Equal((exitCode, exitCode), (poll.ExitCode, wait.ExitCode));
        Assert.Equal(status, JsonDocument.Parse(wait.Output).RootElement.GetProperty("status").GetString());
    }

    [Fact]
    public async Task An_interrupt_stops_the_watching_and_says_how_to_cancel()
    {
        await using FakeService service = await FakeService.StartAsync();
        using var interrupt = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        service.On(Post, Samples.Job("queued", "pending", 0), status: 202);
        service.OnEach(Get, Answer(Samples.Job(), "\"2\""), async context =>
        {
            await interrupt.CancelAsync();
            await Task.Delay(Timeout.Infinite, context.RequestAborted).ContinueWith(_ => { }, TaskScheduler.Default);
        });

        CliRun run = await CliRun.OfAsync(
            ["--url", service.Url, "snapshot", "web-1", "snap1", "--poll"], TimeProvider.System, terminal: false, interrupt.Token);

        Assert.Equal(ExitCode.Interrupted, run.ExitCode);
        Assert.Contains($"job {Samples.JobId} goes on", run.Error, StringComparison.Ordinal);
        Assert.Contains($"snapshotctl cancel {Samples.JobId}", run.Error, StringComparison.Ordinal);
        Assert.DoesNotContain(service.Requests, r => r.Call.StartsWith("DELETE", StringComparison.Ordinal));
    }

    [Fact]
    public async Task On_a_terminal_a_bar_is_drawn_on_standard_error_and_json_stays_alone_on_standard_output()
    {
        await using FakeService service = await FakeService.StartAsync();
        service.On(Post, Samples.Job("queued", "pending", 0), status: 202);
        service.OnEach(Get, Answer(Samples.Job("running", "uploading", 50), "\"2\""), Answer(Samples.Job("succeeded", "finished", 100), "\"3\""));

        CliRun run = await CliRun.OfAsync(
            ["--url", service.Url, "snapshot", "web-1", "snap1", "--poll", "--json"],
            new HastyTimeProvider(),
            terminal: true,
            TestContext.Current.CancellationToken);

        Assert.Equal(ExitCode.Ok, run.ExitCode);
        Assert.Contains("━━━━━━━━━━━━", run.Error, StringComparison.Ordinal);
        Assert.Equal("succeeded", JsonDocument.Parse(run.Output).RootElement.GetProperty("status").GetString());
    }

    [Fact]
    public async Task A_busy_server_is_a_conflict_with_the_job_at_work()
    {
        await using FakeService service = await FakeService.StartAsync();
        service.On(
            Post,
            """
            {"type":"urn:snapshotapi:problem:server_busy","title":"Something else is at work on the server.","status":409,"detail":"a job runs",
             "instance":"/servers/web-1/snapshots","code":"server_busy","traceId":"00-1","job":"/jobs/7","serverIds":null}
            """,
            status: 409);

        CliRun run = await CliRun.OfAsync(service, "snapshot", "web-1", "snap1", "--poll");

        Assert.Equal(ExitCode.Conflict, run.ExitCode);
        Assert.Equal(
            "snapshotctl: Something else is at work on the server (server_busy): a job runs\n  job: /jobs/7\n", run.Error);
    }

    [Fact]
    public async Task Every_wrong_field_is_printed_and_json_gets_the_problem_document()
    {
        await using FakeService service = await FakeService.StartAsync();
        service.On(
            Post,
            """
            {"title":"The request is malformed.","status":400,"code":"invalid_request",
             "errors":{"name":["must not be blank","is too\u001b long"],"metadata.x":["must be text"]}}
            """,
            status: 400);

        CliRun run = await CliRun.OfAsync(service, "snapshot", "web-1", " ", "--json");

        Assert.Equal(ExitCode.Usage, run.ExitCode);
        Assert.Equal(
            "snapshotctl: The request is malformed (invalid_request)\n  name: must not be blank\n  name: is too\\x1b long\n  metadata.x: must be text\n",
            run.Error);
        Assert.Equal("invalid_request", JsonDocument.Parse(run.Output).RootElement.GetProperty("code").GetString());
    }

    private static Func<HttpContext, Task> Answer(string json, string etag) => context =>
    {
        context.Response.ContentType = "application/json";
        context.Response.Headers.ETag = etag;
        return context.Response.WriteAsync(json);
    };

    private static Task Cut(HttpContext context)
    {
        context.Abort();
        return Task.CompletedTask;
    }

    private static Task Unchanged(HttpContext context)
    {
        context.Response.StatusCode = 304;
        return Task.CompletedTask;
    }
}
