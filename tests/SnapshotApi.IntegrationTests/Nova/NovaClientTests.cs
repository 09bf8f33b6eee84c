using System.Globalization;
using System.Net;
using System.Text.Json;
using System.Text.RegularExpressions;
using SnapshotApi.IntegrationTests.Lab;

namespace SnapshotApi.IntegrationTests.Nova;

/// <summary>The first line of our users' habit: the real clients, unchanged, against a real Keystone, a real Glance and a real guest.</summary>
public sealed partial class NovaClientTests(CloudFixture cloud) : IClassFixture<CloudFixture>
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>The percentage is that of the upload, which takes half a minute; the client looks every five seconds.</summary>
    [Fact(Timeout = 300_000)]
    public async Task A_member_takes_an_image_by_name_and_sees_it_grow()
    {
        Task<string> polling = cloud.Demo.RunAsync("nova", "image-create", cloud.Guest.Name, "grows", "--metadata", "purpose=test", "--show", "--poll");
        await cloud.LimitAsync((await cloud.UploadingAsync("grows")).Job, 1 << 20);
        string output = await polling;

        int[] percent = [.. PercentPattern().Matches(output).Select(m => int.Parse(m.Groups[1].ValueSpan, CultureInfo.InvariantCulture))];
        Assert.True(percent.Distinct().Count() >= 4, output);
        Assert.Equal(percent.Order(), percent);
        Assert.Equal(100, percent[^1]);
        Assert.Contains("Finished", output, StringComparison.Ordinal);
        JsonElement record = await cloud.Glance.RecordAsync(Assert.Single(await cloud.Glance.IdsAsync("grows")));
        Assert.Equal(
            ("active", cloud.Project, "private", "test", "snapshot", cloud.Guest.Id.ToString(), "qcow2"),
            (Text(record, "status"), Text(record, "owner"), Text(record, "visibility"), Text(record, "purpose"), Text(record, "image_type"),
                Text(record, "instance_uuid"), Text(record, "disk_format")));
        await UntilAsync(async () => !(await cloud.Glance.RecordAsync(record.GetProperty("id").GetGuid())).TryGetProperty("progress", out _));
        await cloud.SettleAsync();
    }

    [Fact(Timeout = 300_000)]
    public async Task An_admin_takes_an_image_by_UUID_and_what_is_saved_of_it_boots()
    {
        await cloud.Admin.RunAsync("nova", "image-create", cloud.Guest.Id.ToString(), "of-admin", "--poll");
        string file = Path.Combine(Path.GetTempPath(), $"{Guid.NewGuid():N}.qcow2");
        try
        {
            await cloud.Admin.RunAsync("openstack", "image", "save", "--file", file, "of-admin");

            Assert.Equal("DISK OK", await LabGuest.BootAsync("qcow2", file));
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Theory(Timeout = 300_000)]
    [InlineData("admin")]
    [InlineData("demo")]
    public async Task Openstack_shows_the_server_and_waits_for_its_image(string user)
    {
        var client = new OpenStackClient(user);
        string name = $"waited-{user}";
        string list = await client.RunAsync("openstack", "server", "list", user == "admin" ? "--all-projects" : "--long");
        Assert.Contains(cloud.Guest.Id.ToString(), list, StringComparison.Ordinal);
        foreach (string server in new[] { cloud.Guest.Name, cloud.Guest.Id.ToString() })
        {
            Assert.Contains("ACTIVE", await client.RunAsync("openstack", "server", "show", server), StringComparison.Ordinal);
        }

        Assert.Contains("ACTIVE", await client.RunAsync("nova", "show", cloud.Guest.Name), StringComparison.Ordinal);
        string created = await client.RunAsync("openstack", "server", "image", "create", "--wait", "--name", name, "--property", "k=v", cloud.Guest.Name);

        Assert.Contains("active", created, StringComparison.Ordinal);
        Assert.Equal("v", Text(await cloud.Glance.RecordAsync(Assert.Single(await cloud.Glance.IdsAsync(name))), "k"));
        await cloud.SettleAsync();
    }

    [Fact(Timeout = 600_000)]
    public async Task Backups_are_rotated_and_one_that_is_protected_saves_no_other()
    {
        string[] kind = ["image_type=backup", "backup_type=daily", $"instance_uuid={cloud.Guest.Id}"];
        foreach (string name in new[] { "b1", "b2", "b3", "b4" })
        {
            await cloud.Demo.RunAsync("openstack", "server", "backup", "create", "--name", name, "--type", "daily", "--rotate", "3", "--wait", cloud.Guest.Name);
            await cloud.SettleAsync();
        }

        await UntilAsync(async () => (await cloud.Demo.ImagesAsync(kind)).Order().SequenceEqual(["b2", "b3", "b4"]));

        // Of another type: they don't count. The rotation is text here, a number there.
        await cloud.Demo.RunAsync("nova", "backup", cloud.Guest.Name, "weekly1", "weekly", "1");
        await cloud.SettleAsync();
        await cloud.Demo.RunAsync("openstack", "image", "set", "--protected", "b3");
        await cloud.Demo.RunAsync("nova", "backup", cloud.Guest.Name, "b5", "daily", "1");
        await cloud.SettleAsync();

        await UntilAsync(async () => (await cloud.Demo.ImagesAsync(kind)).Order().SequenceEqual(["b3", "b5"]));
        Assert.Contains("weekly1", await cloud.Demo.ImagesAsync(), StringComparer.Ordinal);
        await cloud.Demo.RunAsync("openstack", "image", "set", "--unprotected", "b3");
    }

    [Fact(Timeout = 300_000)]
    public async Task While_one_is_made_another_is_refused_and_one_that_is_cancelled_ends_the_client()
    {
        Task<(int Code, string Output)> polling = cloud.Demo.TryAsync("nova", "image-create", cloud.Guest.Name, "cancelled", "--poll");
        (Guid job, Guid image) = await cloud.UploadingAsync("cancelled");
        await cloud.LimitAsync(job, 1 << 20);

        string busy = $"Cannot 'createImage' instance {cloud.Guest.Id} while it is in task_state image_uploading";
        await cloud.Demo.FailAsync(busy, "nova", "image-create", cloud.Guest.Name, "second", "--poll");
        await cloud.Demo.FailAsync(busy, "openstack", "server", "image", "create", "--wait", "--name", "second", cloud.Guest.Name);
        Assert.Contains("image_uploading", await cloud.Demo.RunAsync("openstack", "server", "show", "-f", "value", "-c", "OS-EXT-STS:task_state", cloud.Guest.Name), StringComparison.Ordinal);
        Assert.Empty(await cloud.Glance.IdsAsync("second"));
        using (HttpResponseMessage cancelled = await cloud.Service.Http.DeleteAsync($"/jobs/{job}", Cancellation))
        {
            Assert.Equal(HttpStatusCode.Accepted, cancelled.StatusCode);
        }

        (int code, string output) = await polling;
        Assert.Equal(1, code);
        Assert.Contains("No image found with ID", output, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.NotFound, await cloud.Glance.StatusAsync(image));
        await cloud.SettleAsync();
        await cloud.Guest.AssertBeatingAsync();
    }

    [Fact(Timeout = 300_000)]
    public async Task A_service_that_dies_in_mid_upload_goes_on_with_the_same_record_when_it_is_back()
    {
        Task<string> polling = cloud.Demo.RunAsync("nova", "image-create", cloud.Guest.Name, "resumed", "--poll");
        (_, Guid image) = await cloud.UploadingAsync("resumed");

        // Not for longer than the client bears: it asks the service again only when the image is whole.
        await cloud.Service.KillAsync();
        await cloud.Service.RunAsync();

        Assert.Contains("Finished", await polling, StringComparison.Ordinal);
        Assert.Equal(image, Assert.Single(await cloud.Glance.IdsAsync("resumed")));
        Assert.Equal("active", Text(await cloud.Glance.RecordAsync(image), "status"));
        await cloud.SettleAsync();
    }

    [Fact(Timeout = 300_000)]
    public async Task An_image_that_is_deleted_in_mid_upload_ends_client_and_job()
    {
        Task<(int Code, string Output)> polling = cloud.Demo.TryAsync("openstack", "server", "image", "create", "--wait", "--name", "deleted", cloud.Guest.Name);
        (Guid job, Guid image) = await cloud.UploadingAsync("deleted");
        Assert.True(await cloud.Glance.DeleteAsync(image));

        (int code, string output) = await polling;

        Assert.Equal(1, code);
        Assert.Contains("No Image found for", output, StringComparison.Ordinal);
        JsonElement ended = await cloud.Service.WaitUntilFinalAsync(job);
        Assert.Equal(("failed", "image_deleted"), (Text(ended, "status"), Text(ended.GetProperty("error"), "code")));
        await cloud.SettleAsync();
    }

    [Fact(Timeout = 300_000)]
    public async Task A_server_that_stops_in_mid_upload_ends_the_client_and_leaves_no_record()
    {
        await using LabGuest guest = await LabGuest.StartAsync("--disk-size", "256M", "--disk-format", "raw");
        Task<(int Code, string Output)> polling = cloud.Admin.TryAsync("nova", "image-create", guest.Name, "stopped", "--poll");
        await cloud.UploadingAsync("stopped");
        await guest.VirshAsync("destroy");

        (int code, string output) = await polling;

        Assert.Equal(1, code);
        Assert.Contains("No image found with ID", output, StringComparison.Ordinal);
        Assert.Empty(await cloud.Glance.IdsAsync("stopped"));
        await cloud.SettleAsync();
    }

    [Fact(Timeout = 300_000)]
    public async Task What_is_not_there_or_not_ones_own_is_not_found()
    {
        string unknown = Guid.NewGuid().ToString();
        await cloud.Demo.FailAsync("No server with a name or ID of 'nosuch' exists", "nova", "image-create", "nosuch", "x", "--poll");
        await cloud.Demo.FailAsync("No server with a name or ID", "nova", "image-create", unknown, "x", "--poll");
        await cloud.Demo.FailAsync("No Server found for nosuch", "openstack", "server", "image", "create", "--wait", "nosuch");
        await cloud.Other.FailAsync("No server with a name or ID", "nova", "image-create", cloud.Guest.Name, "x", "--poll");
        await cloud.Other.FailAsync("No server with a name or ID", "nova", "image-create", cloud.Guest.Id.ToString(), "x", "--poll");
        Assert.DoesNotContain(cloud.Guest.Name, await cloud.Other.RunAsync("openstack", "server", "list"), StringComparison.Ordinal);

        using HttpResponseMessage answer = await SendAsync(HttpMethod.Get, $"/v2.1/servers/{cloud.Guest.Id}", await cloud.Other.TokenAsync());
        Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
        Assert.Empty(await cloud.Glance.IdsAsync("x"));
    }

    [Fact(Timeout = 300_000)]
    public async Task A_token_that_was_revoked_is_good_for_nothing()
    {
        string token = await cloud.Demo.TokenAsync();
        using (HttpResponseMessage good = await SendAsync(HttpMethod.Get, "/v2.1/servers", token))
        {
            Assert.Equal(HttpStatusCode.OK, good.StatusCode);
        }

        await cloud.Demo.RunAsync("openstack", "token", "revoke", token);
        using (HttpResponseMessage taken = await SendAsync(
            HttpMethod.Post, $"/v2.1/servers/{cloud.Guest.Id}/action", token, """{"createImage": {"name": "revoked"}}"""))
        {
            Assert.Equal(HttpStatusCode.Unauthorized, taken.StatusCode);
            Assert.Contains("Keystone uri=", taken.Headers.WwwAuthenticate.ToString(), StringComparison.Ordinal);
        }

        using (HttpResponseMessage seen = await SendAsync(HttpMethod.Get, "/v2.1/servers", token))
        {
            Assert.Equal(HttpStatusCode.Unauthorized, seen.StatusCode);
        }

        Assert.Empty(await cloud.Glance.IdsAsync("revoked"));
        await cloud.SettleAsync();
    }

    [Fact(Timeout = 300_000)]
    public async Task While_Keystone_is_away_from_the_service_clients_are_told_and_no_guest_is_touched()
    {
        string token = await cloud.Demo.TokenAsync();
        cloud.Keystone.Cut();
        try
        {
            await cloud.Demo.FailAsync("Keystone can't be reached (HTTP 503)", "nova", "image-create", cloud.Guest.Name, "away", "--poll");
            await cloud.Demo.FailAsync("Keystone can't be reached", "openstack", "server", "image", "create", "--wait", "--name", "away", cloud.Guest.Name);
            using HttpResponseMessage answer = await SendAsync(
                HttpMethod.Post, $"/v2.1/servers/{cloud.Guest.Id}/action", token, """{"createImage": {"name": "away"}}""");
            Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
        }
        finally
        {
            cloud.Keystone.Restore();
        }

        Assert.Empty(await cloud.Glance.IdsAsync("away"));
        await cloud.SettleAsync();
    }

    private static string? Text(JsonElement element, string name) => element.GetProperty(name).GetString();

    private static async Task UntilAsync(Func<Task<bool>> isSo)
    {
        for (int i = 0; i < 60; i++)
        {
            if (await isSo())
            {
                return;
            }

            await Task.Delay(500, Cancellation);
        }

        Assert.Fail("it did not come to be so within a minute");
    }

    private async Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, string token, string? body = null)
    {
        using var request = new HttpRequestMessage(method, path);
        request.Headers.Add("X-Auth-Token", token);
        request.Content = body is null ? null : new StringContent(body, System.Text.Encoding.UTF8, "application/json");
        return await cloud.Service.Http.SendAsync(request, Cancellation);
    }

    [GeneratedRegex(@"(\d+)% complete")]
    private static partial Regex PercentPattern();
}
