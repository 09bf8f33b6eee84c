using System.Text.Json;
using SnapshotApi.Errors;
using SnapshotApi.IntegrationTests.Captures;
using SnapshotApi.IntegrationTests.Lab;
using SnapshotApi.Snapshots;
using SnapshotApi.Stores;

namespace SnapshotApi.IntegrationTests.Stores;

/// <summary>A real Glance that asks a real Keystone who we are.</summary>
public sealed class KeystoneTests(KeystoneTests.Servers servers) : IClassFixture<KeystoneTests.Servers>
{
    private const string Project = "demo";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact(Timeout = 240_000)]
    public async Task An_application_credential_opens_Glance_and_the_image_belongs_to_its_project()
    {
        (string id, string secret) = await servers.Keystone.CredentialAsync();
        await using var run = new GlanceRun(servers.Guest, servers.Glance.Endpoint, configureGlance: o =>
        {
            o.Keystone.Url = servers.Keystone.Url;
            o.Keystone.ApplicationCredentialId = id;
            o.Keystone.ApplicationCredentialSecret = secret;
        });

        StoredImage image = Assert.Single((await run.SnapshotAsync(isSlow: false)).Images);

        JsonElement record = await servers.Glance.RecordAsync(image.Id);
        Assert.Equal(("active", image.Digest.Value), (record.GetProperty("status").GetString(), record.GetProperty("os_hash_value").GetString()));
        Assert.NotEqual(JsonValueKind.Null, record.GetProperty("owner").ValueKind);
    }

    /// <summary>U7. The token is void from the middle of the upload on; the password in its file is the new one.</summary>
    [Fact(Timeout = 240_000)]
    public async Task A_token_that_ends_in_mid_upload_is_renewed()
    {
        string file = Path.GetTempFileName();
        string user = $"u{Guid.NewGuid():N}";
        await File.WriteAllTextAsync(file, "first\n", Cancellation);
        Guid id = await servers.Keystone.AddUserAsync(user, "first");
        try
        {
            await using var run = new GlanceRun(servers.Guest, servers.Glance.Endpoint, configureGlance: o =>
            {
                o.Keystone.Url = servers.Keystone.Url;
                (o.Keystone.Username, o.Keystone.PasswordFile, o.Keystone.Project) = (user, file, Project);
            });
            Task<RecordingObserver> running = run.SnapshotAsync();
            await run.InTheMiddleAsync();
            string before = await servers.Keystone.LogInAsync(user, "first", Project);

            await File.WriteAllTextAsync(file, "second\n", Cancellation);
            await servers.Keystone.SetPasswordAsync(id, "second");

            StoredImage image = Assert.Single((await running).Images);
            Assert.Empty(run.Observer.Warnings);
            Assert.Equal("active", (await servers.Glance.RecordAsync(image.Id)).GetProperty("status").GetString());
            using var request = new HttpRequestMessage(HttpMethod.Get, $"{servers.Glance.Endpoint}/v2/images");
            request.Headers.Add("X-Auth-Token", before);
            using var anybody = new HttpClient();
            using HttpResponseMessage answer = await anybody.SendAsync(request, Cancellation);
            Assert.Equal(401, (int)answer.StatusCode);
        }
        finally
        {
            File.Delete(file);
            await servers.Keystone.RemoveUserAsync(id);
        }
    }

    [Fact(Timeout = 240_000)]
    public async Task A_wrong_password_fails_the_job_before_the_guest_is_touched_and_is_told_to_nobody()
    {
        await using var run = new GlanceRun(servers.Guest, servers.Glance.Endpoint, configureGlance: o =>
        {
            o.Keystone.Url = servers.Keystone.Url;
            (o.Keystone.Username, o.Keystone.Password, o.Keystone.Project) = ("snapshotapi", "not-the-password", Project);
        });

        SnapshotException failure = await run.FailAsync();

        Assert.Equal(SnapshotErrorCode.StoreFailed, failure.Code);
        Assert.Contains("401", failure.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("not-the-password", failure.ToString(), StringComparison.Ordinal);
        Assert.Equal([SnapshotStep.Planning, SnapshotStep.CleaningUp], run.Observer.Steps);
    }

    [Fact(Timeout = 240_000)]
    public async Task Without_a_token_Glance_does_not_know_who_we_are()
    {
        await using var run = new GlanceRun(servers.Guest, servers.Glance.Endpoint);

        SnapshotException failure = await run.FailAsync();

        Assert.Equal(SnapshotErrorCode.StoreFailed, failure.Code);
        Assert.Contains("401", failure.Message, StringComparison.Ordinal);
    }

    /// <summary>The servers of the class.</summary>
    public sealed class Servers : IAsyncLifetime
    {
        internal LabGuest Guest { get; private set; } = null!;

        internal LabGlance Glance { get; private set; } = null!;

        internal LabKeystone Keystone { get; private set; } = null!;

        public async ValueTask InitializeAsync()
        {
            Keystone = await LabKeystone.OpenAsync();
            Glance = await LabGlance.StartAsync("--keystone");
            string password = await File.ReadAllTextAsync(Path.Combine(Requires.LabDirectory(), "keystone/admin.password"), Cancellation);
            Glance.As(await Keystone.LogInAsync("admin", password, "admin"));
            Guest = await LabGuest.StartAsync("--disk-size", "256M", "--disk-format", "raw");
        }

        public async ValueTask DisposeAsync()
        {
            Keystone?.Dispose();
            if (Glance is not null)
            {
                await Glance.DisposeAsync();
            }

            if (Guest is not null)
            {
                await Guest.DisposeAsync();
            }
        }
    }
}
