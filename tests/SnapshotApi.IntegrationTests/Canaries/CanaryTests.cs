using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using SnapshotApi.IntegrationTests.Lab;
using SnapshotApi.IntegrationTests.Service;

namespace SnapshotApi.IntegrationTests.Canaries;

/// <summary>The check of the captures, on the real QEMU.</summary>
public sealed class CanaryTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    private static readonly Dictionary<string, string> Automatic = new() { ["Node__CheckCaptures"] = "auto" };

    [Fact]
    public async Task Every_capture_is_proved_and_what_harms_a_shape_is_not_taken_of_such_guests()
    {
        await using LabGuest guest = await LabGuest.StartAsync("--iothread");
        await using ServiceProcess service = await ServiceProcess.StartAsync(Automatic);
        JsonElement check = await CheckedAsync(service, default);

        // The shapes that no QEMU is known to fail on, and those that QEMU 7.2 of Debian 12 dies on.
        string[] captures = ["mirror", "cold", "backup"];
        string[] shapes = ["plain", "io_thread", "scsi", "scsi_io_thread", "two_disks"];
        Assert.Equal(
            shapes.SelectMany(s => captures.Select(c => $"{s} {c}")).Order(),
            Results(check).Select(r => $"{Text(r, "shape")} {Text(r, "capture")}").Order());
        Assert.All(
            Results(check).Where(r => Text(r, "capture") != "backup" || !Text(r, "shape")!.Contains("thread", StringComparison.Ordinal)),
            r => Assert.True(Text(r, "outcome") == "proved", $"{r}\n{service.Log}"));
        JsonElement[] threads = [.. Results(check).Where(r => Text(r, "capture") == "backup" && Text(r, "shape")!.Contains("thread", StringComparison.Ordinal))];
        bool isDisabled = Version.Parse(Text((await NodeAsync(service)).GetProperty("capabilities"), "hypervisorVersion")!) < new Version(8, 0);
        Assert.All(threads, r => Assert.True(Text(r, "outcome") == (isDisabled ? "failed" : "proved"), $"{r}\n{service.Log}"));
        Assert.All(threads.Where(_ => isDisabled), r => Assert.Contains("nbd_blockdev_client_closed", Text(r, "reason"), StringComparison.Ordinal));
        await AssertNothingLeftAsync(service);
        Assert.Equal(HttpStatusCode.OK, (await service.Http.GetAsync("/health/ready", TestContext.Current.CancellationToken)).StatusCode);
        Assert.Equal(guest.Id, Assert.Single(await ServersAsync(service), s => s == guest.Id));

        // The same guest, taken by name and by choice.
        HttpResponseMessage answer = await service.Http.PostAsJsonAsync(
            $"/servers/{guest.Id}/snapshots", new { name = "s", mode = "backup" }, TestContext.Current.CancellationToken);
        Assert.Equal(isDisabled ? HttpStatusCode.UnprocessableEntity : HttpStatusCode.Accepted, answer.StatusCode);
        if (isDisabled)
        {
            JsonElement problem = await answer.Content.ReadFromJsonAsync<JsonElement>(TestContext.Current.CancellationToken);
            Assert.Equal("unsupported_request", Text(problem, "code"));
            Assert.Contains("backup is disabled for guests with an I/O thread", Text(problem, "detail"), StringComparison.Ordinal);
            JsonElement job = await service.SubmitAsync(guest, new { name = "auto" });
            job = await service.WaitUntilFinalAsync(job.GetProperty("id").GetGuid());
            Assert.Equal(("succeeded", "mirror"), (Text(job, "status"), Text(job.GetProperty("capture"), "kind")));
            Assert.Contains("backup is disabled", Text(job.GetProperty("capture"), "reason"), StringComparison.Ordinal);
        }

        await guest.AssertBeatingAsync();

        // Nothing has changed: the next start believes it. Somebody who asks gets another one.
        await service.StopAsync();
        await service.RunAsync();
        Assert.Equal(Text(check, "startedAt"), Text((await NodeAsync(service)).GetProperty("check"), "startedAt"));
        answer = await service.Http.PostAsync($"/nodes/{service.Node}/check", null, TestContext.Current.CancellationToken);
        Assert.Equal((HttpStatusCode.Accepted, $"/nodes/{service.Node}"), (answer.StatusCode, answer.Headers.Location?.ToString()));
        JsonElement again = await CheckedAsync(service, check.GetProperty("startedAt").GetDateTimeOffset());
        Assert.Equal(Results(check).Select(r => Text(r, "outcome")), Results(again).Select(r => Text(r, "outcome")));
        await AssertNothingLeftAsync(service);
    }

    [Fact]
    public async Task A_service_that_is_killed_in_its_check_leaves_nothing_for_its_next_start()
    {
        await using ServiceProcess service = await ServiceProcess.StartAsync(Automatic);
        for (int i = 0; i < 3; i++)
        {
            await UntilAsync(service, async () => (await CanariesAsync(service)).Length > 0);
            await Task.Delay(TimeSpan.FromMilliseconds(Random.Shared.Next(1500)), TestContext.Current.CancellationToken);
            await service.KillAsync();
            await service.RunAsync();
        }

        JsonElement check = await CheckedAsync(service, default);
        Assert.All(Results(check), r => Assert.NotEqual("unknown", Text(r, "outcome")));
        await AssertNothingLeftAsync(service);
    }

    [Fact]
    public async Task Without_qemu_nbd_what_needs_it_is_disabled_and_the_cure_is_told()
    {
        string tools = Directory.CreateTempSubdirectory("snapshotapi-tools-").FullName;
        try
        {
            foreach (string tool in new[] { "setsid", "setpriv", "prlimit", "qemu-img", "find", "sh" })
            {
                File.CreateSymbolicLink(Path.Combine(tools, tool), (await Shell.RunAsync("which", tool)).Trim());
            }

            await using ServiceProcess service = await ServiceProcess.StartAsync(new Dictionary<string, string>(Automatic) { ["PATH"] = tools });
            JsonElement check = await CheckedAsync(service, default);

            Assert.All(
                Results(check).Where(r => Text(r, "shape") == "plain"),
                r => Assert.Equal(Text(r, "capture") == "backup" ? "proved" : "failed", Text(r, "outcome")));
            Assert.Contains(
                check.GetProperty("problems").EnumerateArray(),
                p => p.GetString()!.Contains("qemu-nbd", StringComparison.Ordinal)
                    && p.GetString()!.Contains("install qemu-utils", StringComparison.Ordinal));
            await AssertNothingLeftAsync(service);
        }
        finally
        {
            Directory.Delete(tools, recursive: true);
        }
    }

    [Fact]
    public async Task Where_qemu_may_not_enter_the_work_directory_nothing_is_disabled_and_the_cure_is_told()
    {
        await using ServiceProcess service = await ServiceProcess.StartAsync();
        await service.StopAsync();
        File.SetUnixFileMode(service.Root, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        service.Settings = Automatic;
        await service.RunAsync();
        JsonElement check = await CheckedAsync(service, default);

        Assert.All(Results(check), r => Assert.Equal("unknown", Text(r, "outcome")));
        string problem = Assert.Single(check.GetProperty("problems").EnumerateArray()).GetString()!;
        Assert.Contains("Permission denied", problem, StringComparison.Ordinal);
        Assert.Contains("let QEMU's user pass", problem, StringComparison.Ordinal);
        using HttpResponseMessage ready = await service.Http.GetAsync("/health/ready", TestContext.Current.CancellationToken);
        JsonElement readiness = await ready.Content.ReadFromJsonAsync<JsonElement>(TestContext.Current.CancellationToken);
        JsonElement part = readiness.GetProperty("parts").EnumerateArray().Single(p => Text(p, "name") == "captures");
        Assert.Equal((HttpStatusCode.OK, "degraded", problem), (ready.StatusCode, Text(readiness, "status"), Text(part, "message")));
        await AssertNothingLeftAsync(service);
    }

    private static async Task<JsonElement> NodeAsync(ServiceProcess service) =>
        await service.Http.GetFromJsonAsync<JsonElement>($"/nodes/{service.Node}", TestContext.Current.CancellationToken);

    private static async Task<Guid[]> ServersAsync(ServiceProcess service)
    {
        JsonElement page = await service.Http.GetFromJsonAsync<JsonElement>(
            $"/servers?node={service.Node}&limit=200", TestContext.Current.CancellationToken);
        return [.. page.GetProperty("items").EnumerateArray().Select(s => s.GetProperty("id").GetGuid())];
    }

    // The check that has begun after an instant, once it has ended.
    private static async Task<JsonElement> CheckedAsync(ServiceProcess service, DateTimeOffset after)
    {
        JsonElement check = default;
        await UntilAsync(service, async () =>
        {
            check = (await NodeAsync(service)).GetProperty("check");
            return check.ValueKind == JsonValueKind.Object && Text(check, "status") == "checked"
                && check.GetProperty("startedAt").GetDateTimeOffset() > after;
        });
        TimeSpan took = check.GetProperty("endedAt").GetDateTimeOffset() - check.GetProperty("startedAt").GetDateTimeOffset();
        TestContext.Current.TestOutputHelper?.WriteLine($"the check took {took}:\n{service.Log}");
        return check;
    }

    private static async Task UntilAsync(ServiceProcess service, Func<Task<bool>> holds)
    {
        for (long start = Stopwatch.GetTimestamp(); !await holds();)
        {
            Assert.True(Stopwatch.GetElapsedTime(start) < Patience, service.Log);
            await Task.Delay(50, TestContext.Current.CancellationToken);
        }
    }

    private static async Task<string[]> CanariesAsync(ServiceProcess service) =>
        [.. (await Shell.RunAsync("virsh", "-c", "qemu:///system", "list", "--all", "--name")).Split('\n')
            .Where(n => n.StartsWith($"snapshotapi-canary-{service.Node}-", StringComparison.Ordinal))];

    private static async Task AssertNothingLeftAsync(ServiceProcess service)
    {
        Assert.Empty(await CanariesAsync(service));
        Assert.Empty(Directory.GetFiles("/var/log/libvirt/qemu", $"snapshotapi-canary-{service.Node}-*"));
        await UntilAsync(service, () => Task.FromResult(
            !new[] { "run", "journal" }.Select(d => Path.Combine(service.WorkDirectory, d))
                .Where(Directory.Exists).SelectMany(Directory.EnumerateFileSystemEntries).Any()));
    }

    private static JsonElement[] Results(JsonElement check) => [.. check.GetProperty("results").EnumerateArray()];

    private static string? Text(JsonElement element, string name) => element.GetProperty(name).GetString();
}
