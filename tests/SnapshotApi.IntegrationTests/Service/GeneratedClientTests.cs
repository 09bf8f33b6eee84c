using System.Security.Cryptography;
using SnapshotApi.GeneratedClient;
using SnapshotApi.IntegrationTests.Lab;

namespace SnapshotApi.IntegrationTests.Service;

/// <summary>The client that NSwag makes of the OpenAPI document, with the real service and a real guest.</summary>
public sealed class GeneratedClientTests : IAsyncLifetime
{
    private const int Offset = 1 << 20;

    private ServiceProcess _service = null!;
    private LabGuest _guest = null!;
    private SnapshotApiClient _client = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _service = await ServiceProcess.StartAsync();
        _guest = await LabGuest.StartAsync("--disk-size", "256M", "--disk-format", "raw", "--writer", "1M");
        _client = new SnapshotApiClient(_service.Http);
    }

    public async ValueTask DisposeAsync()
    {
        await _service.DisposeAsync();
        await _guest.DisposeAsync();
    }

    [Fact(Timeout = 240_000)]
    public async Task A_generated_client_takes_a_snapshot_polls_by_version_and_downloads_a_range()
    {
        var body = new SnapshotBody { Name = "generated", Mode = SnapshotBodyMode.Live, Disks = "all" };
        Job accepted = await SubmitAsync(body);
        (Job job, string version) = await PollAsync(accepted.Id);

        Assert.True(job.Status == "succeeded", $"{job.Error?.Message}\n{_service.Log}");
        var unchanged = await Assert.ThrowsAsync<ApiException>(
            () => _client.GetJobAsync(job.Id, if_None_Match: version, cancellationToken: Cancellation));
        Assert.Equal(304, unchanged.StatusCode);

        ImagePage listed = (await _client.ListImagesAsync(job: job.Id, limit: 1, cancellationToken: Cancellation)).Result;
        Image image = Assert.Single(listed.Items);
        Assert.Null(listed.Next);
        Assert.Equal(Assert.Single(job.Disks).Image!.Id, image.Id);

        using FileResponse file = await _client.DownloadImageAsync(image.Id, cancellationToken: Cancellation);
        byte[] whole = await BytesAsync(file);
        string etag = Assert.Single(file.Headers["ETag"]);
        Assert.Equal((200, "bytes"), (file.StatusCode, Assert.Single(file.Headers["Accept-Ranges"])));
        Assert.Equal(image.Digest.Value, Convert.ToHexStringLower(SHA256.HashData(whole)));
        Assert.Equal($"\"{image.Digest.Algorithm}:{image.Digest.Value}\"", etag);

        const string range = "bytes=1048576-";
        using FileResponse rest =
            await _client.DownloadImageAsync(image.Id, range, etag, cancellationToken: Cancellation);
        Assert.True(rest is { StatusCode: 206, IsPartial: true }, $"{rest.StatusCode}");
        Assert.Equal($"bytes {Offset}-{whole.Length - 1}/{whole.Length}", Assert.Single(rest.Headers["Content-Range"]));
        Assert.Equal(whole[Offset..], await BytesAsync(rest));

        using FileResponse other =
            await _client.DownloadImageAsync(image.Id, range, "\"other\"", cancellationToken: Cancellation);
        Assert.Equal(200, other.StatusCode);
        var known = await Assert.ThrowsAsync<ApiException>(
            () => _client.DownloadImageAsync(image.Id, if_None_Match: etag, cancellationToken: Cancellation));
        Assert.Equal(304, known.StatusCode);
    }

    /// <summary>As <see cref="ServiceProcess.SubmitAsync"/>: a libvirt that was silent for some seconds is asked again.</summary>
    private async Task<Job> SubmitAsync(SnapshotBody body)
    {
        string key = Guid.NewGuid().ToString();
        for (int later = 0; ; later++)
        {
            try
            {
                SwaggerResponse<Job> answer =
                    await _client.CreateSnapshotAsync(_guest.Id.ToString(), body, key, Cancellation);
                Assert.Equal(202, answer.StatusCode);
                Assert.Equal($"/jobs/{answer.Result.Id}", Assert.Single(answer.Headers["Location"]));
                return answer.Result;
            }
            catch (ApiException<Problem> e) when (later < 5 && e.Result.Code == "hypervisor_unavailable")
            {
                await Task.Delay(TimeSpan.FromSeconds(5), Cancellation);
            }
        }
    }

    /// <summary>Polls with the last version until the job is final; 304 means that it has not changed.</summary>
    private async Task<(Job Job, string Version)> PollAsync(Guid id)
    {
        string? version = null;
        while (true)
        {
            try
            {
                SwaggerResponse<Job> answer =
                    await _client.GetJobAsync(id, wait: 30, if_None_Match: version, cancellationToken: Cancellation);
                Assert.NotEqual(version, version = Assert.Single(answer.Headers["ETag"]));
                if (answer.Result.Links.Cancel is null)
                {
                    return (answer.Result, version);
                }
            }
            catch (ApiException e) when (e.StatusCode == 304)
            {
                Assert.NotNull(version);
            }
        }
    }

    private static async Task<byte[]> BytesAsync(FileResponse file)
    {
        using var bytes = new MemoryStream();
        await file.Stream.CopyToAsync(bytes, Cancellation);
        return bytes.ToArray();
    }
}
