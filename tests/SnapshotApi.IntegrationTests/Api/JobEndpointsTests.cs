using System.Net;
using System.Text.Json;
using SnapshotApi.Hypervisor;
using SnapshotApi.Snapshots;
using SnapshotApi.Tests.Fakes;

namespace SnapshotApi.IntegrationTests.Api;

public sealed class JobEndpointsTests(ServiceFixture service) : IClassFixture<ServiceFixture>
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_job_succeeds_and_shows_its_image()
    {
        service.PublishFile("the image"u8.ToArray());

        JsonElement job = await service.RunAsync();

        Assert.Equal("succeeded", job.GetProperty("status").GetString());
        Assert.Equal(100, job.GetProperty("progress").GetProperty("percent").GetInt32());
        Assert.Equal(JsonValueKind.Null, job.GetProperty("taskState").ValueKind);
        Assert.Equal("backup", job.GetProperty("capture").GetProperty("kind").GetString());
        JsonElement image = job.GetProperty("disks")[0].GetProperty("image");
        Assert.Equal("sha256", image.GetProperty("digest").GetProperty("algorithm").GetString());
        Assert.Equal($"/images/{image.GetProperty("id").GetString()}", job.GetProperty("links").GetProperty("images")[0].GetString());
    }

    [Fact]
    public async Task A_limit_is_changed_while_the_job_runs_and_reaches_its_run()
    {
        var goOn = new TaskCompletionSource();
        SnapshotWork? run = null;
        service.Service.Pipeline.Body = async (work, journal, observer, cancellationToken) =>
        {
            run = work;
            await FakePipeline.Hold(goOn.Task)(work, journal, observer, cancellationToken);
        };
        string path = await StartAsync();
        string version = await WaitForStepAsync(path, "uploading");

        using HttpResponseMessage limited = await PatchAsync(path, """{"bandwidthBytesPerSecond":1048576}""", "application/merge-patch+json");
        JsonElement job = await ServiceFixture.JsonAsync(limited, 200);
        await ServiceFixture.WaitUntilAsync(() => Task.FromResult(run!.Bandwidth.BytesPerSecond == 1 << 20));
        using HttpResponseMessage same = await PatchAsync(path, "{}");
        using HttpResponseMessage lifted = await PatchAsync(path, """{"bandwidthBytesPerSecond":null}""");
        await ServiceFixture.WaitUntilAsync(() => Task.FromResult(run!.Bandwidth.BytesPerSecond is null));

        Assert.Equal(1 << 20, job.GetProperty("bandwidthBytesPerSecond").GetInt64());
        Assert.NotEqual(version, limited.Headers.ETag!.Tag);
        Assert.Equal(1 << 20, (await ServiceFixture.JsonAsync(same, 200)).GetProperty("bandwidthBytesPerSecond").GetInt64());
        Assert.Equal(limited.Headers.ETag, same.Headers.ETag);
        Assert.Equal(JsonValueKind.Null, (await ServiceFixture.JsonAsync(lifted, 200)).GetProperty("bandwidthBytesPerSecond").ValueKind);
        goOn.SetResult();
    }

    [Fact]
    public async Task A_change_that_is_wrong_or_comes_too_late_is_refused()
    {
        service.PublishFile("x"u8.ToArray());
        string path = (await service.RunAsync()).GetProperty("links").GetProperty("self").GetString()!;
        const string limit = """{"bandwidthBytesPerSecond":1048576}""";

        JsonElement wrong = await ServiceFixture.ProblemAsync(
            await PatchAsync(path, """{"bandwidthBytesPerSecond":1,"name":"x"}"""), 400, "invalid_request");
        Assert.Equal(["bandwidthBytesPerSecond", "name"], wrong.GetProperty("errors").EnumerateObject().Select(e => e.Name).Order());
        await ServiceFixture.ProblemAsync(await PatchAsync(path, "[]"), 400, "invalid_request");
        await ServiceFixture.ProblemAsync(await PatchAsync(path, limit, "text/plain"), 415, "unsupported_media_type");
        await ServiceFixture.ProblemAsync(await PatchAsync(path, limit), 409, "state_conflict");
        await ServiceFixture.ProblemAsync(await PatchAsync($"/jobs/{Guid.NewGuid()}", limit), 404, "job_not_found");
    }

    [Fact]
    public async Task An_unchanged_job_is_304()
    {
        service.PublishFile("x"u8.ToArray());
        string path = (await service.RunAsync()).GetProperty("links").GetProperty("self").GetString()!;
        using HttpResponseMessage first = await service.Client.GetAsync(path, Cancellation);

        using HttpResponseMessage same = await GetAsync(path, first.Headers.ETag!.Tag);
        using HttpResponseMessage weak = await GetAsync(path, "W/" + first.Headers.ETag.Tag);
        using HttpResponseMessage other = await GetAsync(path, "\"0\"");

        Assert.Equal(HttpStatusCode.NotModified, same.StatusCode);
        Assert.Equal(first.Headers.ETag, same.Headers.ETag);
        Assert.Empty(await same.Content.ReadAsByteArrayAsync(Cancellation));
        Assert.Equal(HttpStatusCode.NotModified, weak.StatusCode);
        Assert.Equal(HttpStatusCode.OK, other.StatusCode);
        Assert.Null(first.Headers.RetryAfter);
    }

    [Fact]
    public async Task A_long_poll_returns_when_the_job_changes()
    {
        var goOn = new TaskCompletionSource();
        service.Service.Pipeline.Body = FakePipeline.Hold(goOn.Task);
        string path = await StartAsync();
        string version = await WaitForStepAsync(path, "uploading");

        Task<HttpResponseMessage> poll = GetAsync(path + "?wait=60", version);
        goOn.SetResult();
        using HttpResponseMessage changed = await poll;

        Assert.Equal(HttpStatusCode.OK, changed.StatusCode);
        Assert.NotEqual(version, changed.Headers.ETag!.Tag);
    }

    [Fact]
    public async Task A_long_poll_of_a_job_that_stays_as_it_is_ends_in_time()
    {
        var goOn = new TaskCompletionSource();
        service.Service.Pipeline.Body = FakePipeline.Hold(goOn.Task);
        string path = await StartAsync();
        string version = await WaitForStepAsync(path, "uploading");

        using HttpResponseMessage known = await GetAsync(path + "?wait=1", version);
        using HttpResponseMessage unknown = await GetAsync(path + "?wait=1", null);
        using HttpResponseMessage older = await GetAsync(path + "?wait=60", "\"0\"");

        Assert.Equal(HttpStatusCode.NotModified, known.StatusCode);
        Assert.Equal(HttpStatusCode.OK, unknown.StatusCode);
        Assert.Equal(HttpStatusCode.OK, older.StatusCode);
        Assert.Equal(TimeSpan.FromSeconds(1), older.Headers.RetryAfter?.Delta);
        goOn.SetResult();
    }

    [Fact]
    public async Task A_job_that_runs_is_cancelled_and_asking_again_changes_nothing()
    {
        service.Service.Pipeline.Body = FakePipeline.Hold(new TaskCompletionSource().Task);
        string path = await StartAsync();
        await WaitForStepAsync(path, "uploading");

        using HttpResponseMessage asked = await service.Client.DeleteAsync(path, Cancellation);
        using HttpResponseMessage askedAgain = await service.Client.DeleteAsync(path, Cancellation);
        JsonElement job = await service.WaitAsync(path, ServiceFixture.IsFinal);
        using HttpResponseMessage late = await service.Client.DeleteAsync(path, Cancellation);

        Assert.Equal(path, asked.Headers.Location?.OriginalString);
        Assert.Equal(HttpStatusCode.Accepted, asked.StatusCode);
        Assert.Equal(HttpStatusCode.Accepted, askedAgain.StatusCode);
        Assert.Equal("cancelled", job.GetProperty("status").GetString());
        Assert.Equal("cancelled", (await ServiceFixture.JsonAsync(late, 202)).GetProperty("status").GetString());
    }

    [Fact]
    public async Task An_unknown_job_is_not_found()
    {
        var path = $"/jobs/{Guid.NewGuid()}";

        using HttpResponseMessage get = await service.Client.GetAsync(path, Cancellation);
        using HttpResponseMessage wait = await service.Client.GetAsync(path + "?wait=5", Cancellation);
        using HttpResponseMessage events = await service.Client.GetAsync(path + "/events", Cancellation);
        using HttpResponseMessage delete = await service.Client.DeleteAsync(path, Cancellation);

        foreach (HttpResponseMessage response in new[] { get, wait, events, delete })
        {
            await ServiceFixture.ProblemAsync(response, 404, "job_not_found");
        }
    }

    [Fact]
    public async Task The_step_log_tells_what_happened()
    {
        service.Service.Pipeline.Body = (work, journal, observer, _) =>
        {
            observer.Warn("the guest agent does not answer");
            FakePipeline.Publish(work, journal, observer);
            return Task.CompletedTask;
        };
        string path = (await service.RunAsync()).GetProperty("links").GetProperty("events").GetString()!;

        JsonElement[] events = [.. (await service.ReadAsync(path)).GetProperty("items").EnumerateArray()];

        Assert.Equal("accepted", events[0].GetProperty("kind").GetString());
        Assert.Contains(events, e => e.GetProperty("message").GetString() == "the guest agent does not answer");
        Assert.Contains(events, e => e.GetProperty("step").GetString() == "uploading" && e.GetProperty("durationMs").ValueKind == JsonValueKind.Number);
        Assert.Equal(Enumerable.Range(1, events.Length), events.Select(e => e.GetProperty("sequence").GetInt32()));
    }

    [Fact]
    public async Task A_list_is_paged_and_filtered()
    {
        service.Service.Pipeline.Body = (work, journal, observer, _) =>
        {
            FakePipeline.Publish(work, journal, observer);
            return Task.CompletedTask;
        };
        ServerDescription server = await service.AddServerAsync();
        var ids = new List<string>();
        for (int i = 0; i < 5; i++)
        {
            ids.Insert(0, (await service.RunAsync(server.Name)).GetProperty("id").GetString()!);
        }

        var seen = new List<string>();
        string? next = $"/jobs?server={server.Name}&limit=2&status=succeeded,failed";
        while (next is not null)
        {
            using HttpResponseMessage response = await service.Client.GetAsync(next, Cancellation);
            JsonElement page = await ServiceFixture.JsonAsync(response, 200);
            seen.AddRange(page.GetProperty("items").EnumerateArray().Select(j => j.GetProperty("id").GetString()!));
            next = page.GetProperty("next").GetString();
            Assert.Equal(next is null, !response.Headers.Contains("Link"));
            if (next is not null)
            {
                Assert.Equal($"<{next}>; rel=\"next\"", Assert.Single(response.Headers.GetValues("Link")));
            }
        }

        Assert.Equal(ids, seen);
        Assert.Empty((await service.ReadAsync($"/jobs?server={server.Id}&status=queued&status=running")).GetProperty("items").EnumerateArray());
        Assert.Empty((await service.ReadAsync("/jobs?node=kvm2")).GetProperty("items").EnumerateArray());
        Assert.Empty((await service.ReadAsync($"/jobs?server={Guid.NewGuid()}")).GetProperty("items").EnumerateArray());
        using HttpResponseMessage unknown = await service.Client.GetAsync("/jobs?server=nobody", Cancellation);
        await ServiceFixture.ProblemAsync(unknown, 404, "server_not_found");
    }

    [Fact]
    public async Task Progress_grows_and_never_falls()
    {
        var polled = new SemaphoreSlim(0);
        service.Service.Pipeline.Body = async (work, journal, observer, cancellation) =>
        {
            observer.StepStarted(SnapshotStep.Planning);
            observer.PlanMade(new SnapshotPlan(SnapshotApi.Captures.CaptureKind.Backup, "a test", "directory", [new PlannedDisk("vda", new SnapshotApi.Images.ImageSpec(SnapshotApi.Images.ImageFormat.Qcow2))], []));
            observer.StepStarted(SnapshotStep.Uploading, "vda");
            for (int done = 100; done <= 400; done += 100)
            {
                observer.DisksAdvanced([new DiskProgress("vda", 1000, 400, done, 400, done / 400.0, 1)]);
                await polled.WaitAsync(cancellation);
            }
        };
        string path = await StartAsync();

        var percents = new List<int>();
        string? version = null;
        JsonElement job;
        do
        {
            using HttpResponseMessage response = await GetAsync(path + "?wait=30", version);
            job = await ServiceFixture.JsonAsync(response, 200);
            version = response.Headers.ETag!.Tag;
            percents.Add(job.GetProperty("progress").GetProperty("percent").GetInt32());
            if (percents[^1] is 25 or 50 or 75 or 99 && !percents.SkipLast(1).Contains(percents[^1]))
            {
                polled.Release();
            }
        }
        while (!ServiceFixture.IsFinal(job));

        Assert.Equal(percents.Order(), percents);
        Assert.Subset(percents.ToHashSet(), new HashSet<int> { 25, 50, 75, 100 });
    }

    private async Task<string> StartAsync()
    {
        ServerDescription server = await service.AddServerAsync();
        return (await ServiceFixture.JsonAsync(await service.PostAsync(server.Name))).GetProperty("links").GetProperty("self").GetString()!;
    }

    /// <summary>Waits until a job is at a step; returns its version then.</summary>
    private async Task<string> WaitForStepAsync(string path, string step)
    {
        await service.WaitAsync(path, j => j.GetProperty("step").GetString() == step);
        using HttpResponseMessage response = await service.Client.GetAsync(path, Cancellation);
        Assert.Equal(step, (await ServiceFixture.JsonAsync(response, 200)).GetProperty("step").GetString());
        return response.Headers.ETag!.Tag;
    }

    private async Task<HttpResponseMessage> GetAsync(string path, string? version)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, path);
        if (version is not null)
        {
            request.Headers.TryAddWithoutValidation("If-None-Match", version);
        }

        return await service.Client.SendAsync(request, Cancellation);
    }

    private Task<HttpResponseMessage> PatchAsync(string path, string body, string type = "application/json") =>
        service.Client.PatchAsync(path, new StringContent(body, System.Text.Encoding.UTF8, type), Cancellation);
}
