using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text.Json;
using SnapshotApi.Errors;
using SnapshotApi.Images;
using SnapshotApi.IntegrationTests.Captures;
using SnapshotApi.IntegrationTests.Jobs;
using SnapshotApi.IntegrationTests.Lab;
using SnapshotApi.Snapshots;
using SnapshotApi.Stores;

namespace SnapshotApi.IntegrationTests.Stores;

/// <summary>Snapshots of a real guest into a real Glance: what is held is what was read, and whatever fails leaves nothing.</summary>
public sealed class GlanceStoreTests(GlanceFixture fixture) : IClassFixture<GlanceFixture>
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory(Timeout = 240_000)]
    [InlineData("Qcow2")]
    [InlineData("Raw")]
    [InlineData("Qcow2", "Zstd")]
    [InlineData("Qcow2", "None", "Always")]
    [InlineData("Vmdk")]
    public async Task A_live_snapshot_is_active_with_our_size_digest_and_properties(string format, string compression = "None", string sparsify = "Never")
    {
        await using var run = new GlanceRun(fixture.Guest, fixture.Glance.Endpoint);

        RecordingObserver seen = await run.SnapshotAsync(isSlow: false, r => r with
        {
            Format = Enum.Parse<ImageFormat>(format),
            Compression = Enum.Parse<Compression>(compression),
            Sparsify = Enum.Parse<Sparsify>(sparsify),
            Metadata = new Dictionary<string, string> { ["ticket"] = "42", ["größe"] = "żółć" },
        });

        StoredImage image = Assert.Single(seen.Images);
        JsonElement record = await fixture.Glance.RecordAsync(image.Id);
        Assert.Equal("active", record.GetProperty("status").GetString());
        Assert.Equal(run.Name, record.GetProperty("name").GetString());
        Assert.Equal(image.SizeBytes, record.GetProperty("size").GetInt64());
        Assert.Equal(("sha512", image.Digest.Value), (image.Digest.Algorithm, record.GetProperty("os_hash_value").GetString()));
        Assert.Equal(format.ToLowerInvariant(), record.GetProperty("disk_format").GetString());
        Assert.Equal("private", record.GetProperty("visibility").GetString());
        Assert.Equal(1, record.GetProperty("min_disk").GetInt32());
        Assert.Equal("42", record.GetProperty("ticket").GetString());
        Assert.Equal("żółć", record.GetProperty("größe").GetString());
        Assert.Equal(fixture.Guest.Id.ToString(), record.GetProperty("instance_uuid").GetString());
        Assert.Equal("snapshot", record.GetProperty("image_location").GetString());
        Assert.Equal("backup", record.GetProperty("snapshotapi_capture").GetString());
        await using Stream file = await fixture.Glance.Http.GetStreamAsync($"images/{image.Id}/file", Cancellation);
        Assert.Equal(image.Digest.Value, Convert.ToHexStringLower(await SHA512.HashDataAsync(file, Cancellation)));
        Assert.Empty(seen.Warnings);
        Assert.True(await fixture.Glance.DeleteAsync(image.Id));
    }

    [Fact(Timeout = 240_000)]
    public async Task A_snapshot_of_Novas_inherits_from_its_base_what_is_true_of_it()
    {
        const string kernel = "11111111-2222-3333-4444-555555555555";
        Guid baseId = await fixture.Glance.CreateAsync($$"""
            {"name": "base", "container_format": "ami", "disk_format": "ami", "kernel_id": "{{kernel}}", "os_type": "linux", "os_distro": "debian",
             "hw_disk_bus": "virtio", "img_signature": "x", "img_signature_hash_method": "SHA-256", "cinder_encryption_key_id": "{{kernel}}",
             "cache_in_nova": "true", "base_image_ref": "older"}
            """);
        const string uri = "http://openstack.org/xmlns/libvirt/nova/1.1";
        await fixture.Guest.VirshAsync("metadata", uri, "--key", "nova", "--live", "--set",
            $"<instance><owner><user uuid='u1'>me</user><project uuid='p1'>demo</project></owner><root type='image' uuid='{baseId}'/></instance>");
        try
        {
            await using var run = new GlanceRun(fixture.Guest, fixture.Glance.Endpoint);
            StoredImage image = Assert.Single((await run.SnapshotAsync(isSlow: false)).Images);

            JsonElement record = await fixture.Glance.RecordAsync(image.Id);
            Assert.Equal("ami", record.GetProperty("disk_format").GetString());
            Assert.Equal("ami", record.GetProperty("container_format").GetString());
            Assert.Equal(kernel, record.GetProperty("kernel_id").GetString());
            Assert.Equal("linux", record.GetProperty("os_type").GetString());
            Assert.Equal("virtio", record.GetProperty("hw_disk_bus").GetString());
            Assert.Equal(baseId.ToString(), record.GetProperty("base_image_ref").GetString());
            Assert.Equal("p1", record.GetProperty("owner_id").GetString());
            Assert.Equal("u1", record.GetProperty("user_id").GetString());
            Assert.DoesNotContain(record.EnumerateObject(), p =>
                p.Name.StartsWith("img_signature", StringComparison.Ordinal) || p.Name.StartsWith("cinder_", StringComparison.Ordinal) || p.Name == "cache_in_nova");
            Assert.True(await fixture.Glance.DeleteAsync(image.Id));

            // Without its base it is taken all the same.
            Assert.True(await fixture.Glance.DeleteAsync(baseId));
            await using var orphan = new GlanceRun(fixture.Guest, fixture.Glance.Endpoint);
            RecordingObserver seen = await orphan.SnapshotAsync(isSlow: false);
            Assert.Contains(baseId.ToString(), Assert.Single(seen.Warnings), StringComparison.Ordinal);
            Assert.Equal("bare", (await fixture.Glance.RecordAsync(seen.Images[0].Id)).GetProperty("container_format").GetString());
            Assert.True(await fixture.Glance.DeleteAsync(seen.Images[0].Id));
        }
        finally
        {
            await fixture.Guest.VirshAsync("metadata", uri, "--live", "--remove");
        }
    }

    [Fact(Timeout = 240_000)]
    public async Task A_Glance_that_digests_otherwise_than_configured_gets_the_image_again_with_its_digest()
    {
        await using var run = new GlanceRun(fixture.Guest, fixture.Glance.Endpoint, configureGlance: o => o.HashAlgorithm = "sha256");

        StoredImage image = Assert.Single((await run.SnapshotAsync(isSlow: false)).Images);

        Assert.Contains("Stores:Glance:HashAlgorithm", Assert.Single(run.Observer.Warnings), StringComparison.Ordinal);
        Assert.Equal("sha512", image.Digest.Algorithm);
        Assert.Equal(image.Id, Assert.Single(await fixture.Glance.IdsAsync(run.Name)));
        Assert.True(await fixture.Glance.DeleteAsync(image.Id));
    }

    [Fact(Timeout = 240_000)]
    public async Task A_cancelled_upload_leaves_no_record()
    {
        await using var run = new GlanceRun(fixture.Guest, fixture.Glance.Endpoint);
        using var user = new CancellationTokenSource();
        Task<RecordingObserver> running = run.SnapshotAsync(cancellation: user.Token);
        await run.InTheMiddleAsync();
        Assert.Single(await fixture.Glance.IdsAsync(run.Name));

        await user.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
        Assert.Empty(await fixture.Glance.IdsAsync(run.Name));
    }

    /// <summary>U1.</summary>
    [Fact(Timeout = 240_000)]
    public async Task An_image_that_somebody_deletes_in_mid_upload_fails_the_job_with_that_reason()
    {
        await using var run = new GlanceRun(fixture.Guest, fixture.Glance.Endpoint);
        Task<SnapshotException> failing = run.FailAsync();
        await run.InTheMiddleAsync();

        Guid id = Assert.Single(await fixture.Glance.IdsAsync(run.Name));
        Assert.Equal("saving", (await fixture.Glance.RecordAsync(id)).GetProperty("status").GetString());
        Assert.True(await fixture.Glance.DeleteAsync(id));

        Assert.Equal(SnapshotErrorCode.ImageDeleted, (await failing).Code);
        Assert.Empty(run.Observer.Warnings);
        Assert.Equal(HttpStatusCode.NotFound, await fixture.Glance.StatusAsync(id));
    }

    /// <summary>U6.</summary>
    [Fact(Timeout = 240_000)]
    public async Task A_cut_upload_is_sent_again_from_the_same_instant_and_leaves_one_image()
    {
        await using var proxy = new CuttableProxy(fixture.Glance.Port);
        await using var run = new GlanceRun(fixture.Guest, $"http://127.0.0.1:{proxy.Port}");
        Task<RecordingObserver> running = run.SnapshotAsync();
        await run.InTheMiddleAsync();

        proxy.Cut();
        proxy.Restore();

        StoredImage image = Assert.Single((await running).Images);
        Assert.Contains("cut", Assert.Single(run.Observer.Warnings), StringComparison.Ordinal);
        Assert.Equal(image.Id, Assert.Single(await fixture.Glance.IdsAsync(run.Name)));
        Assert.Equal(image.Digest.Value, (await fixture.Glance.RecordAsync(image.Id)).GetProperty("os_hash_value").GetString());
        Assert.Equal(1, run.Observer.Steps.Count(s => s == SnapshotStep.Measuring));
        Assert.Equal(2, run.Observer.Steps.Count(s => s == SnapshotStep.Uploading));
        Assert.Equal(1, run.Observer.Steps.Count(s => s == SnapshotStep.BackupBeginning));
        Assert.True(await fixture.Glance.DeleteAsync(image.Id));
    }

    [Fact(Timeout = 240_000)]
    public async Task A_spooled_image_is_sent_without_a_capture_and_as_often_as_it_takes()
    {
        await using var proxy = new CuttableProxy(fixture.Glance.Port);
        await using var run = new GlanceRun(fixture.Guest, $"http://127.0.0.1:{proxy.Port}");
        var jobs = new List<string>();
        run.Observer.OnStep = step =>
        {
            if (step == SnapshotStep.Uploading)
            {
                jobs.Add(fixture.Guest.VirshAsync("domjobinfo").GetAwaiter().GetResult());
                (jobs.Count == 1 ? (Action)proxy.Cut : proxy.Restore)();
            }
        };

        RecordingObserver seen = await run.SnapshotAsync(isSlow: false, request => request with { Compression = Compression.Zstd });

        Assert.Equal(2, jobs.Count);
        Assert.All(jobs, job => Assert.Contains("None", job, StringComparison.Ordinal));
        Assert.Equal(1, seen.Steps.Count(s => s == SnapshotStep.Preparing));
        StoredImage image = Assert.Single(seen.Images);
        Assert.Equal(image.Digest.Value, (await fixture.Glance.RecordAsync(image.Id)).GetProperty("os_hash_value").GetString());
        Assert.True(await fixture.Glance.DeleteAsync(image.Id));
    }

    /// <summary>U2, U6: a killed Glance leaves the record in saving for ever, and refuses another PUT into it.</summary>
    [Fact(Timeout = 300_000)]
    public async Task A_Glance_that_is_killed_in_mid_upload_gets_the_image_when_it_is_back_and_keeps_no_other()
    {
        await using LabGlance glance = await LabGlance.StartAsync();
        await using var run = new GlanceRun(fixture.Guest, glance.Endpoint);
        Task<RecordingObserver> running = run.SnapshotAsync();
        await run.InTheMiddleAsync();
        Guid stuck = Assert.Single(await glance.IdsAsync(run.Name));

        await glance.SignalAsync("KILL");
        await glance.StartAgainAsync();
        StoredImage image = Assert.Single((await running).Images);

        Assert.NotEqual(stuck, image.Id);
        Assert.NotEmpty(run.Observer.Warnings);
        Assert.Equal(image.Id, Assert.Single(await glance.IdsAsync(run.Name)));
        Assert.Equal("active", (await glance.RecordAsync(image.Id)).GetProperty("status").GetString());
    }

    /// <summary>U9: what is reported is what Glance said, not the pipe that broke after it.</summary>
    [Theory(Timeout = 240_000)]
    [InlineData("--size-cap")]
    [InlineData("--quota")]
    public async Task An_image_over_the_limit_fails_with_Glances_own_words_and_leaves_nothing(string limit)
    {
        await using LabGlance glance = await LabGlance.StartAsync(limit, "4M");
        await using var run = new GlanceRun(fixture.Guest, glance.Endpoint);

        SnapshotException failure = await run.FailAsync();

        Assert.Equal(SnapshotErrorCode.QuotaExceeded, failure.Code);
        Assert.Contains("413", failure.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("<", failure.Message, StringComparison.Ordinal);
        Assert.Empty(run.Observer.Warnings);
        Assert.Empty(await glance.IdsAsync(run.Name));
    }

    [Fact(Timeout = 240_000)]
    public async Task A_silent_Glance_ends_the_job_as_timed_out_and_has_no_record_of_it()
    {
        await using LabGlance glance = await LabGlance.StartAsync();
        await using var run = new GlanceRun(fixture.Guest, glance.Endpoint, o => o.StallTimeout = TimeSpan.FromSeconds(10));
        Task<SnapshotException> failing = run.FailAsync();
        await run.InTheMiddleAsync();
        Task? resumed = null;
        run.Observer.OnStep = step => resumed = step == SnapshotStep.CleaningUp ? glance.SignalAsync("CONT") : resumed;

        await glance.SignalAsync("STOP");

        Assert.Equal(SnapshotErrorCode.TimedOut, (await failing).Code);
        await Assert.IsAssignableFrom<Task>(resumed);
        Assert.Empty(await glance.IdsAsync(run.Name));
    }

    [Fact(Timeout = 240_000)]
    public async Task A_Glance_that_is_away_fails_the_job_before_the_guest_is_touched()
    {
        await using var proxy = new CuttableProxy(fixture.Glance.Port);
        proxy.Cut();
        await using var run = new GlanceRun(fixture.Guest, $"http://127.0.0.1:{proxy.Port}");

        SnapshotException failure = await run.FailAsync();

        Assert.Equal((SnapshotErrorCode.StoreFailed, true), (failure.Code, failure.IsTransient));
        Assert.Equal([SnapshotStep.Planning, SnapshotStep.CleaningUp], run.Observer.Steps);
    }

    [Fact(Timeout = 240_000)]
    public async Task What_Glance_would_refuse_is_refused_before_the_guest_is_touched()
    {
        await using var run = new GlanceRun(fixture.Guest, fixture.Glance.Endpoint);

        SnapshotException failure = await Assert.ThrowsAsync<SnapshotException>(() => run.SnapshotAsync(change: r => r with
        {
            Metadata = new Dictionary<string, string>(Enumerable.Range(0, 125).Select(i => KeyValuePair.Create($"k{i.ToString(CultureInfo.InvariantCulture)}", "v"))),
        }));

        Assert.Equal(SnapshotErrorCode.UnsupportedRequest, failure.Code);
        Assert.Equal([SnapshotStep.Planning, SnapshotStep.CleaningUp], run.Observer.Steps);
        Assert.Empty(await fixture.Glance.IdsAsync(run.Name));
    }
}
