using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text.Json;
using SnapshotApi.IntegrationTests.Lab;

namespace SnapshotApi.IntegrationTests.Service;

/// <summary>From POST to image through the real service on the real libvirt.</summary>
public sealed class ServiceTests : IAsyncLifetime
{
    // Slow enough to be met in the middle; a mirror is limited by the size of the disk, an upload by its data.
    private const long Slow = 12 << 20;

    private ServiceProcess _service = null!;
    private LabGuest _guest = null!;

    public async ValueTask InitializeAsync()
    {
        _service = await ServiceProcess.StartAsync();
        _guest = await LabGuest.StartAsync("--disk-size", "256M", "--disk-format", "raw", "--writer", "1M");
    }

    public async ValueTask DisposeAsync()
    {
        await _service.DisposeAsync();
        await _guest.DisposeAsync();
    }

    [Fact(Timeout = 240_000)]
    public async Task A_snapshot_goes_from_post_to_an_image_that_is_downloaded_with_its_digest()
    {
        JsonElement accepted = await _service.SubmitAsync(_guest, new { name = "snap1", metadata = new { purpose = "test" } });
        JsonElement job = await _service.WaitUntilFinalAsync(accepted.GetProperty("id").GetGuid());

        Assert.True(job.GetProperty("status").GetString() == "succeeded", $"{job}\n{_service.Log}");
        Assert.Equal(100, job.GetProperty("progress").GetProperty("percent").GetDouble());
        JsonElement image = job.GetProperty("disks")[0].GetProperty("image");
        using HttpResponseMessage file = await _service.Http.GetAsync(
            $"/images/{image.GetProperty("id").GetGuid()}/file", TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.OK, file.StatusCode);
        byte[] digest = await SHA256.HashDataAsync(
            await file.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken), TestContext.Current.CancellationToken);
        Assert.Equal(image.GetProperty("digest").GetProperty("value").GetString(), Convert.ToHexStringLower(digest));
        _service.AssertNoLeftovers();
    }

    [Fact(Timeout = 240_000)]
    public async Task Progress_grows_and_never_falls_and_wait_returns_on_change()
    {
        foreach (string mode in new[] { "mirror", "backup" })
        {
            Guid id = (await _service.SubmitAsync(_guest, new { name = "p", mode, bandwidthBytesPerSecond = Slow })).GetProperty("id").GetGuid();
            var percents = new List<double>();
            JsonElement job;
            string? tag = null;
            do
            {
                using var request = new HttpRequestMessage(HttpMethod.Get, $"/jobs/{id}?wait=30");
                request.Headers.TryAddWithoutValidation("If-None-Match", tag);
                using HttpResponseMessage answer = await _service.Http.SendAsync(request, TestContext.Current.CancellationToken);
                Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
                Assert.NotEqual(tag, answer.Headers.ETag?.ToString());
                tag = answer.Headers.ETag?.ToString();
                job = JsonDocument.Parse(await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)).RootElement;
                percents.Add(job.GetProperty("progress").GetProperty("percent").GetDouble());
            }
            while (!ServiceProcess.IsFinal(job));

            Assert.True(job.GetProperty("status").GetString() == "succeeded", $"{job}\n{_service.Log}");
            Assert.Equal(percents.Order(), percents);
            Assert.True(percents.Distinct().Count() >= 4, string.Join(", ", percents));
        }
    }

    [Theory(Timeout = 240_000)]
    [InlineData("backup", "uploading")]
    [InlineData("mirror", "mirroring")]
    [InlineData("mirror", "uploading")]
    [InlineData("cold", "saving")]
    [InlineData("cold", "uploading")]
    public async Task Cancelling_in_the_middle_ends_the_job_and_leaves_the_guest_as_it_was(string mode, string step)
    {
        string definition = await _guest.DefinitionAsync();
        Guid id = (await _service.SubmitAsync(_guest, new { name = "c", mode, bandwidthBytesPerSecond = Slow })).GetProperty("id").GetGuid();
        await _service.WaitAsync(id, job => job.GetProperty("step").GetString() == step);

        using HttpResponseMessage answer = await _service.Http.DeleteAsync($"/jobs/{id}", TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
        JsonElement cancelled = await _service.WaitUntilFinalAsync(id);

        Assert.Equal("cancelled", cancelled.GetProperty("status").GetString());
        await AssertGuestIsWellAsync(definition);
        await AssertNextSnapshotSucceedsAsync(mode);
    }

    [Theory(Timeout = 240_000)]
    [InlineData("backup", "uploading")]
    [InlineData("mirror", "mirroring")]
    [InlineData("mirror", "uploading")]
    [InlineData("cold", "saving")]
    [InlineData("cold", "uploading")]
    public async Task Killing_the_service_in_the_middle_leaves_the_guest_as_it_was_once_it_is_back(string mode, string step)
    {
        string definition = await _guest.DefinitionAsync();
        Guid id = (await _service.SubmitAsync(_guest, new { name = "k", mode, bandwidthBytesPerSecond = Slow })).GetProperty("id").GetGuid();
        await _service.WaitAsync(id, job => job.GetProperty("step").GetString() == step);

        await _service.KillAsync();
        await _service.RunAsync();
        JsonElement job = await _service.WaitUntilFinalAsync(id);

        Assert.True(
            job.GetProperty("status").GetString() == "succeeded" && job.GetProperty("attempts").GetInt32() == 2
            || job.GetProperty("status").GetString() == "failed" && job.GetProperty("error").GetProperty("code").GetString() == "abandoned",
            job.ToString());
        await AssertGuestIsWellAsync(definition);
        await AssertNextSnapshotSucceedsAsync(mode);
    }

    [Fact(Timeout = 240_000)]
    public async Task Stopping_the_service_while_a_client_downloads_slowly_takes_no_attempt_from_its_jobs()
    {
        string definition = await _guest.DefinitionAsync();
        Guid first = (await _service.SubmitAsync(_guest, new { name = "f", mode = "backup", format = "raw" })).GetProperty("id").GetGuid();
        JsonElement done = await _service.WaitUntilFinalAsync(first);
        Guid image = done.GetProperty("disks")[0].GetProperty("image").GetProperty("id").GetGuid();
        Guid id = (await _service.SubmitAsync(_guest, new { name = "s", mode = "backup", bandwidthBytesPerSecond = Slow })).GetProperty("id").GetGuid();
        await _service.WaitAsync(id, job => job.GetProperty("step").GetString() == "uploading");
        using HttpResponseMessage file = await _service.Http.GetAsync(
            $"/images/{image}/file", HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
        Task<long> download = DownloadSlowlyAsync(file);

        await _service.StopAsync();
        long received = await download;
        await _service.RunAsync();
        JsonElement job = await _service.WaitUntilFinalAsync(id);

        Assert.InRange(received, 1, file.Content.Headers.ContentLength!.Value - 1);
        Assert.True(job.GetProperty("status").GetString() == "succeeded", $"{job}\n{_service.Log}");
        Assert.Equal(1, job.GetProperty("attempts").GetInt32());
        await AssertGuestIsWellAsync(definition);
    }

    [Theory(Timeout = 240_000)]
    [InlineData("vmdk", null)]
    [InlineData("qcow2", "zstd")]
    public async Task Killing_the_service_while_an_image_is_converted_or_compressed_leaves_neither_file_nor_process(string format, string? compression)
    {
        string definition = await _guest.DefinitionAsync();
        JsonElement submitted = await _service.SubmitAsync(
            _guest, new { name = "k", mode = "backup", format, compression, bandwidthBytesPerSecond = Slow });
        Guid id = submitted.GetProperty("id").GetGuid();
        await _service.WaitAsync(id, job => job.GetProperty("step").GetString() == "uploading");

        await _service.KillAsync();
        string partial = Assert.Single(Directory.GetFiles(Path.Combine(_service.StoreDirectory, ".partial")));
        await _service.RunAsync();
        JsonElement job = await _service.WaitUntilFinalAsync(id);

        Assert.Equal("succeeded", job.GetProperty("status").GetString());
        Assert.Equal(2, job.GetProperty("attempts").GetInt32());
        Assert.Equal(format, job.GetProperty("disks")[0].GetProperty("image").GetProperty("format").GetString());
        await AssertGuestIsWellAsync(definition);
        (_, string processes, _) = await Shell.TryAsync("pgrep", "-af", partial);
        Assert.DoesNotContain("qemu-img", processes, StringComparison.Ordinal);
    }

    [Theory(Timeout = 240_000)]
    [InlineData("backup", "uploading")]
    [InlineData("mirror", "mirroring")]
    public async Task A_limit_that_is_changed_in_the_middle_holds_at_once_and_one_that_is_lifted_lets_the_job_end(string mode, string step)
    {
        Guid id = (await _service.SubmitAsync(_guest, new { name = "l", mode, bandwidthBytesPerSecond = 1 << 20 })).GetProperty("id").GetGuid();
        await _service.WaitAsync(id, job => job.GetProperty("step").GetString() == step && Rate(job) is > 256 << 10);

        JsonElement slow = await LimitAsync(id, 64 << 10);
        JsonElement slowed = await _service.WaitAsync(id, job => Rate(job) is null or < 160 << 10);
        Assert.Equal((64 << 10, step), (slow.GetProperty("bandwidthBytesPerSecond").GetInt64(), slowed.GetProperty("step").GetString()));

        JsonElement free = await LimitAsync(id, null);
        Assert.Equal(JsonValueKind.Null, free.GetProperty("bandwidthBytesPerSecond").ValueKind);
        JsonElement job = await _service.WaitUntilFinalAsync(id);
        Assert.True(job.GetProperty("status").GetString() == "succeeded", $"{job}\n{_service.Log}");
        await _guest.AssertCleanAsync();
        _service.AssertNoLeftovers();
    }

    private static long? Rate(JsonElement job) =>
        job.GetProperty("progress").GetProperty("bytesPerSecond") is { ValueKind: JsonValueKind.Number } rate ? rate.GetInt64() : null;

    private async Task<JsonElement> LimitAsync(Guid id, long? rate)
    {
        using HttpResponseMessage answer = await _service.Http.PatchAsJsonAsync(
            $"/jobs/{id}", new { bandwidthBytesPerSecond = rate }, TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        return await answer.Content.ReadFromJsonAsync<JsonElement>(TestContext.Current.CancellationToken);
    }

    private async Task AssertGuestIsWellAsync(string definition)
    {
        Assert.Equal("running", await _guest.StateAsync());
        Assert.Equal(definition, await _guest.DefinitionAsync());
        await _guest.AssertCleanAsync();
        await _guest.AssertBeatingAsync();
        Assert.DoesNotContain("WRITE ERROR", _guest.Log, StringComparison.Ordinal);
        _service.AssertNoLeftovers();
        Assert.Empty(Directory.EnumerateFiles(Path.GetDirectoryName(await _guest.DiskPathAsync())!, ".snapshotapi-*"));
    }

    private async Task AssertNextSnapshotSucceedsAsync(string mode)
    {
        JsonElement next = await _service.SubmitAsync(_guest, new { name = "next", mode });
        JsonElement job = await _service.WaitUntilFinalAsync(next.GetProperty("id").GetGuid());
        Assert.True(job.GetProperty("status").GetString() == "succeeded", $"{job}\n{_service.Log}");
        _service.AssertNoLeftovers();
    }

    // Fast enough for the web server not to give the client up, slow enough to take hours.
    private static async Task<long> DownloadSlowlyAsync(HttpResponseMessage file)
    {
        await using Stream bytes = await file.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken);
        var piece = new byte[4096];
        long received = 0;
        try
        {
            while (await bytes.ReadAsync(piece, TestContext.Current.CancellationToken) is > 0 and var read)
            {
                received += read;
                await Task.Delay(100, TestContext.Current.CancellationToken);
            }
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            // Cut by the service that stops.
        }

        return received;
    }
}
