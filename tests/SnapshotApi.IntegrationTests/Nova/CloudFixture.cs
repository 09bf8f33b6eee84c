using System.Text.Json;
using SnapshotApi.IntegrationTests.Jobs;
using SnapshotApi.IntegrationTests.Lab;
using SnapshotApi.IntegrationTests.Service;

namespace SnapshotApi.IntegrationTests.Nova;

/// <summary>The real service in the catalog of the lab's Keystone, with one guest that belongs to the project demo.</summary>
public sealed class CloudFixture : IAsyncLifetime
{
    // Slow enough to be met in the middle.
    private const int Slow = 8 << 20;

    internal ServiceProcess Service { get; private set; } = null!;

    internal LabGuest Guest { get; private set; } = null!;

    /// <summary>The service's way to Keystone.</summary>
    internal CuttableProxy Keystone { get; private set; } = null!;

    /// <summary>The Glance of the catalog, seen as an admin.</summary>
    internal LabGlance Glance { get; private set; } = null!;

    internal OpenStackClient Admin { get; } = new("admin");

    internal OpenStackClient Demo { get; } = new("demo");

    internal OpenStackClient Other { get; } = new("other");

    /// <summary>Id of the project demo.</summary>
    public string Project { get; private set; } = string.Empty;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        Project = (await Admin.RunAsync("openstack", "project", "show", "demo", "-f", "value", "-c", "id")).Trim();
        string port = await File.ReadAllTextAsync(Path.Combine(Requires.LabDirectory(), "keystone/port"), Cancellation);
        Keystone = new CuttableProxy(int.Parse(port, System.Globalization.CultureInfo.InvariantCulture));
        Guest = await LabGuest.StartAsync("--disk-size", "256M", "--disk-format", "raw", "--writer", "1M");
        Glance = (await LabGlance.OfCloudAsync()).As(await Admin.TokenAsync());
        Service = await ServiceProcess.StartAsync(Settings());
        await Shell.RunAsync(Path.Combine(Shell.Repository, "scripts/lab"), "compute", $"{Service.Http.BaseAddress}v2.1");
    }

    public async ValueTask DisposeAsync()
    {
        if (Service is not null)
        {
            await Service.DisposeAsync();
        }

        if (Glance is not null)
        {
            await RemoveImagesAsync();
            await Glance.DisposeAsync();
        }

        if (Guest is not null)
        {
            await Guest.DisposeAsync();
        }

        if (Keystone is not null)
        {
            await Keystone.DisposeAsync();
        }
    }

    /// <summary>Slows a job down from now on.</summary>
    public async Task LimitAsync(Guid job, int bytesPerSecond)
    {
        using var limit = new StringContent($$"""{"bandwidthBytesPerSecond": {{bytesPerSecond}}}""", System.Text.Encoding.UTF8, "application/json");
        using HttpResponseMessage answer = await Service.Http.PatchAsync($"/jobs/{job}", limit, Cancellation);
        answer.EnsureSuccessStatusCode();
    }

    /// <summary>Waits until an image of that name is on its way into Glance; returns its job and its record.</summary>
    public async Task<(Guid Job, Guid Image)> UploadingAsync(string name)
    {
        for (int i = 0; i < 600; i++)
        {
            foreach (Guid image in await Glance.IdsAsync(name))
            {
                JsonElement record = await Glance.RecordAsync(image);
                if (record.GetProperty("status").GetString() == "saving")
                {
                    return (record.GetProperty("snapshotapi_job").GetGuid(), image);
                }
            }

            await Task.Delay(50, Cancellation);
        }

        Assert.Fail($"nothing is uploaded as {name}:\n{Service.Log}");
        return default;
    }

    /// <summary>Waits until the server has no job any more; then nothing of ours is left on it.</summary>
    public async Task SettleAsync()
    {
        for (int i = 0; i < 600; i++)
        {
            JsonElement page = JsonElement.Parse(await Service.Http.GetStringAsync("/jobs?status=queued,running", Cancellation));
            if (page.GetProperty("items").GetArrayLength() == 0)
            {
                await AssertSettledAsync();
                return;
            }

            await Task.Delay(100, Cancellation);
        }

        Assert.Fail($"a job does not end:\n{Service.Log}");
    }

    // What is left is no use without the words of the one who should have taken it away.
    private async Task AssertSettledAsync()
    {
        try
        {
            await Guest.AssertCleanAsync();
            Service.AssertNoLeftovers();
        }
        catch (Xunit.Sdk.XunitException e)
        {
            string jobs = await Service.Http.GetStringAsync($"/jobs?server={Guest.Id}&limit=3", Cancellation);
            throw new Xunit.Sdk.XunitException($"{e.Message}\n{jobs}\n{Service.Log}", e);
        }
    }

    /// <summary>The service's configuration.</summary>
    private Dictionary<string, string> Settings()
    {
        var settings = new Dictionary<string, string>
        {
            ["Stores__Glance__Endpoint"] = Glance.Endpoint,
            ["Node__BandwidthBytesPerSecond"] = $"{Slow}",
            [$"Nova__Projects__{Project}__0"] = Guest.Name,
            ["Nova__TokenCacheSeconds"] = "2",
        };
        foreach (string section in new[] { "Stores__Glance__Keystone", "Nova__Keystone" })
        {
            settings[$"{section}__Url"] = $"http://127.0.0.1:{Keystone.Port}/v3";
            settings[$"{section}__Username"] = "snapshots";
            settings[$"{section}__PasswordFile"] = Path.Combine(Requires.LabDirectory(), "keystone/snapshots.password");
            settings[$"{section}__Project"] = "service";
        }

        return settings;
    }

    private async Task RemoveImagesAsync()
    {
        JsonElement page = JsonElement.Parse(await Glance.Http.GetStringAsync($"images?instance_uuid={Guest.Id}&limit=1000", CancellationToken.None));
        foreach (JsonElement image in page.GetProperty("images").EnumerateArray())
        {
            if (image.GetProperty("protected").GetBoolean())
            {
                await Admin.RunAsync("openstack", "image", "set", "--unprotected", image.GetProperty("id").GetString()!);
            }

            await Glance.DeleteAsync(image.GetProperty("id").GetGuid());
        }
    }
}
