using System.Net;
using System.Text.Json;
using SnapshotApi.IntegrationTests.Lab;

namespace SnapshotApi.IntegrationTests.Service;

/// <summary>The real service with a real Glance.</summary>
public sealed class GlanceServiceTests : IAsyncLifetime
{
    private LabGlance _glance = null!;
    private ServiceProcess _service = null!;
    private LabGuest _guest = null!;

    public async ValueTask InitializeAsync()
    {
        _glance = LabGlance.Shared();
        _service = await ServiceProcess.StartAsync(new Dictionary<string, string>
        {
            ["Stores__Glance__Endpoint"] = _glance.Endpoint,
            ["Stores__Default"] = "glance",
        });
        _guest = await LabGuest.StartAsync("--disk-size", "256M", "--disk-format", "raw", "--writer", "1M");
    }

    public async ValueTask DisposeAsync()
    {
        await _service.DisposeAsync();
        await _guest.DisposeAsync();
        await _glance.DisposeAsync();
    }

    /// <summary>U2: whatever became of the run, no record of it is left but that of a success, and no file of the spool.</summary>
    [Theory(Timeout = 300_000)]
    [InlineData("none", "uploading")]
    [InlineData("zstd", "preparing")]
    public async Task A_service_that_is_killed_in_the_middle_deletes_what_it_made_when_it_is_back_and_then_does_the_job(string compression, string step)
    {
        string name = $"k-{Guid.NewGuid():N}";
        var request = new { name, mode = "backup", compression, sparsify = "never", bandwidthBytesPerSecond = 6 << 20 };
        Guid job = (await _service.SubmitAsync(_guest, request)).GetProperty("id").GetGuid();
        await _service.WaitAsync(job, j => j.GetProperty("step").GetString() == step && j.GetProperty("progress").GetProperty("bytesDone").GetInt64() > 4 << 20);
        IReadOnlyList<Guid> first = await _glance.IdsAsync(name);
        Assert.Equal(step == "uploading" ? 1 : 0, first.Count);

        await _service.KillAsync();
        await _service.RunAsync();
        JsonElement ended = await _service.WaitUntilFinalAsync(job);

        foreach (Guid record in first)
        {
            Assert.Equal(HttpStatusCode.NotFound, await _glance.StatusAsync(record));
        }

        Assert.True(ended.GetProperty("status").GetString() == "succeeded", $"{ended}\n{_service.Log}");
        Assert.Equal(2, ended.GetProperty("attempts").GetInt32());
        Guid image = ended.GetProperty("disks")[0].GetProperty("image").GetProperty("id").GetGuid();
        Assert.Equal(image, Assert.Single(await _glance.IdsAsync(name)));
        Assert.Equal("running", await _guest.StateAsync());
        await _guest.AssertCleanAsync();
        _service.AssertNoLeftovers();
        await AssertShownAndDeletedAsync(image);
    }

    private async Task AssertShownAndDeletedAsync(Guid image)
    {
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        JsonElement shown = JsonElement.Parse(await _service.Http.GetStringAsync($"/images/{image}", cancellation));
        Assert.Equal("glance", shown.GetProperty("store").GetString());
        Assert.Equal("sha512", shown.GetProperty("digest").GetProperty("algorithm").GetString());

        using HttpResponseMessage file = await _service.Http.GetAsync($"/images/{image}/file", cancellation);
        JsonElement problem = JsonElement.Parse(await file.Content.ReadAsStringAsync(cancellation));
        Assert.Equal(("image_not_local", HttpStatusCode.Conflict), (problem.GetProperty("code").GetString(), file.StatusCode));
        Assert.Contains("glance", problem.GetProperty("detail").GetString(), StringComparison.Ordinal);

        using HttpResponseMessage deleted = await _service.Http.DeleteAsync($"/images/{image}", cancellation);
        Assert.Equal(HttpStatusCode.NoContent, deleted.StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, await _glance.StatusAsync(image));
    }
}
