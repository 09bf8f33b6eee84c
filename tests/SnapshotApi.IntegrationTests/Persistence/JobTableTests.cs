using Npgsql;
using SnapshotApi.Captures;
using SnapshotApi.Errors;
using SnapshotApi.Images;
using SnapshotApi.Persistence;
using SnapshotApi.Snapshots;
using SnapshotApi.Stores;

namespace SnapshotApi.IntegrationTests.Persistence;

public sealed class JobTableTests(TestDatabase database) : IClassFixture<TestDatabase>
{
    private static readonly TimeSpan Lease = TimeSpan.FromSeconds(30);

    private readonly JobTable _jobs = database.Jobs;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_job_comes_back_as_it_was_inserted()
    {
        var request = new SnapshotRequest("snap \u00e9\U0001F600")
        {
            Mode = SnapshotMode.Mirror,
            Format = ImageFormat.Raw,
            Disks = ["vda", "vdb"],
            Quiesce = QuiesceMode.Required,
            Metadata = new Dictionary<string, string> { ["k"] = "v" },
            DeadlineSeconds = 7,
            BandwidthBytesPerSecond = 1L << 40,
        };
        JobRecord inserted = await InsertAsync(request: request);

        JobRecord? found = await _jobs.FindAsync(inserted.Id, Token);

        Assert.NotNull(found);
        Assert.Equal(JobStatus.Queued, found.Status);
        Assert.Equal(1, found.Version);
        Assert.Equal(inserted.CreatedAt, found.CreatedAt);
        Assert.Equal(request.Name, found.Request.Name);
        Assert.Equal(request.Disks, found.Request.Disks);
        Assert.Equal(request.Metadata, found.Request.Metadata);
        Assert.Equal(
            (SnapshotMode.Mirror, ImageFormat.Raw, QuiesceMode.Required),
            (found.Request.Mode, found.Request.Format, found.Request.Quiesce));
        Assert.Equal((7, 1L << 40), (found.Request.DeadlineSeconds, found.Request.BandwidthBytesPerSecond));
        JobEvent accepted = Assert.Single(await _jobs.ListEventsAsync(inserted.Id, Token));
        Assert.Equal((1, "accepted"), (accepted.Sequence, accepted.Kind));
    }

    [Fact]
    public async Task A_server_has_one_active_job()
    {
        JobRecord first = await InsertAsync();

        var error = await Assert.ThrowsAsync<PostgresException>(() => InsertAsync(first.ServerId));

        Assert.Equal("ux_jobs_active_server", error.ConstraintName);
        Assert.Equal(first.Id, (await _jobs.FindActiveAsync(first.ServerId, Token))!.Id);
    }

    [Fact]
    public async Task Pages_show_every_job_once_while_new_ones_come_in()
    {
        const string node = "paged";
        var expected = new List<Guid>();
        for (int i = 0; i < 23; i++)
        {
            expected.Insert(0, (await InsertAsync(node: node)).Id);
        }

        // Jobs of one instant: the id decides.
        await database.ExecuteAsync("""
            UPDATE jobs SET created_at = (SELECT min(created_at) FROM jobs WHERE node = 'paged')
            WHERE node = 'paged' AND id IN (SELECT id FROM jobs WHERE node = 'paged' ORDER BY created_at LIMIT 9)
            """);
        var seen = new List<Guid>();
        JobCursor? cursor = null;
        while (true)
        {
            IReadOnlyList<JobRecord> page = await _jobs.ListAsync(new JobFilter(null, node, [], cursor, 5), Token);
            seen.AddRange(page.Select(j => j.Id));
            if (page.Count < 5)
            {
                break;
            }

            cursor = new JobCursor(page[^1].CreatedAt, page[^1].Id);
            await InsertAsync(node: node);
        }

        Assert.Equal(expected.Count, seen.Count);
        Assert.Equal(expected.Order(), seen.Order());
    }

    [Fact]
    public async Task A_listing_shows_what_its_filter_asks_for()
    {
        JobRecord queued = await InsertAsync(node: "filtered");
        JobRecord running = await InsertAsync(node: "filtered");
        await ClaimAsync(running);

        IReadOnlyList<JobRecord> byStatus = await _jobs.ListAsync(
            new JobFilter(null, "filtered", [JobStatus.Running], null, 10), Token);
        IReadOnlyList<JobRecord> byServer = await _jobs.ListAsync(
            new JobFilter(queued.ServerId, null, [], null, 10), Token);
        IReadOnlyList<JobRecord> both =
            await _jobs.ListAsync(
                new JobFilter(null, "filtered", [JobStatus.Running, JobStatus.Queued], null, 10), Token);

        Assert.Equal(running.Id, Assert.Single(byStatus).Id);
        Assert.Equal(queued.Id, Assert.Single(byServer).Id);
        Assert.Equal([running.Id, queued.Id], both.Select(j => j.Id));
    }

    [Fact]
    public async Task A_claim_is_had_by_one()
    {
        JobRecord job = await InsertAsync();

        JobRecord?[] claims = await Task.WhenAll(
            Enumerable.Range(0, 8).Select(_ => _jobs.ClaimAsync(job.Id, job.Node, Lease, 2, Token)));

        JobRecord claimed = Assert.Single(claims.OfType<JobRecord>());
        Assert.Equal((JobStatus.Running, 1, 1L), (claimed.Status, claimed.Attempts, claimed.Fence));
        Assert.NotNull(claimed.StartedAt);
    }

    [Fact]
    public async Task A_claim_is_not_had_by_another_node()
    {
        JobRecord job = await InsertAsync();

        Assert.Null(await _jobs.ClaimAsync(job.Id, "elsewhere", Lease, 2, Token));
    }

    [Fact]
    public async Task A_run_whose_lease_ended_can_be_claimed_again_until_its_attempts_are_spent()
    {
        JobRecord job = await InsertAsync();
        await ClaimAsync(job);
        Assert.Null(await _jobs.ClaimAsync(job.Id, job.Node, Lease, 2, Token));
        await EndLeaseAsync(job.Id);

        JobRecord? second = await _jobs.ClaimAsync(job.Id, job.Node, Lease, 2, Token);
        await EndLeaseAsync(job.Id);
        JobRecord? third = await _jobs.ClaimAsync(job.Id, job.Node, Lease, 2, Token);

        Assert.Equal((2, 2L), (second!.Attempts, second.Fence));
        Assert.Null(third);
    }

    [Fact]
    public async Task Renewing_a_lease_is_no_change_to_the_job()
    {
        JobRecord job = await ClaimAsync(await InsertAsync());

        JobControl? wishes = await _jobs.RenewLeaseAsync(job.Id, job.Fence, Lease, Token);

        Assert.Equal(new JobControl(false, null), wishes);
        Assert.Equal(job.Version, (await _jobs.FindAsync(job.Id, Token))!.Version);
    }

    [Fact]
    public async Task Every_visible_write_makes_a_new_version()
    {
        JobRecord job = await ClaimAsync(await InsertAsync());
        Assert.Equal(2, job.Version);

        await _jobs.WriteProgressAsync(job.Id, job.Fence, Progress(SnapshotStep.Uploading), Token);
        await _jobs.RequestCancelAsync(job.Id, job.CreatedAt, Token);

        JobRecord written = (await _jobs.FindAsync(job.Id, Token))!;
        Assert.Equal(4, written.Version);
        Assert.Equal(
            (15L, new JobDowntime(4, 5, 6), 2L), (written.GuestDowntimeMs, written.Downtime, written.FreezeMs));
    }

    [Fact]
    public async Task A_limit_is_part_of_the_request_is_a_new_version_and_is_told_with_the_lease()
    {
        JobRecord job = await ClaimAsync(await InsertAsync());

        JobRecord? limited = await _jobs.LimitAsync(job.Id, 1 << 20, Token);
        JobControl? wishes = await _jobs.RenewLeaseAsync(job.Id, job.Fence, Lease, Token);
        JobRecord? lifted = await _jobs.LimitAsync(job.Id, null, Token);

        Assert.Equal((1L << 20, job.Version + 1), (limited!.Request.BandwidthBytesPerSecond, limited.Version));
        Assert.Equal(new JobControl(false, 1 << 20), wishes);
        Assert.Null(lifted!.Request.BandwidthBytesPerSecond);
        Assert.Equal(job.Request.Name, lifted.Request.Name);
        Assert.Equal(new JobControl(false, null), await _jobs.RenewLeaseAsync(job.Id, job.Fence, Lease, Token));
        await _jobs.DeliverAsync(Outcome(job, JobStatus.Succeeded, Image(job)), Token);
        Assert.Null(await _jobs.LimitAsync(job.Id, 1 << 20, Token));
    }

    [Fact]
    public async Task Who_lost_the_fence_writes_nothing()
    {
        JobRecord job = await ClaimAsync(await InsertAsync());
        long stale = job.Fence - 1;

        bool progress = await _jobs.WriteProgressAsync(
            job.Id, stale, Progress(SnapshotStep.Uploading, Event(1, "step")), Token);
        JobControl? lease = await _jobs.RenewLeaseAsync(job.Id, stale, Lease, Token);
        bool outcome = await _jobs.DeliverAsync(
            Outcome(job, JobStatus.Succeeded, Image(job)) with { Fence = stale }, Token);

        Assert.False(progress);
        Assert.Null(lease);
        Assert.False(outcome);
        Assert.Equivalent(job, await _jobs.FindAsync(job.Id, Token));
        Assert.Equal(["accepted", "claimed"], (await _jobs.ListEventsAsync(job.Id, Token)).Select(e => e.Kind));
        Assert.Empty(await new ImageTable(database.Database).ListAsync(new ImageFilter(null, job.Id, null, 10), Token));
    }

    [Fact]
    public async Task Events_are_numbered_in_order_and_written_once()
    {
        JobRecord job = await ClaimAsync(await InsertAsync());
        RunEvent open = Event(1, "step");

        await _jobs.WriteProgressAsync(job.Id, job.Fence, Progress(SnapshotStep.Planning, open), Token);
        await _jobs.RequestCancelAsync(job.Id, job.CreatedAt, Token);
        JobProgress second = Progress(
            SnapshotStep.Uploading, open with { DurationMs = 12 }, Event(2, "step"), Event(3, "warning"));
        await _jobs.WriteProgressAsync(job.Id, job.Fence, second, Token);
        await _jobs.WriteProgressAsync(job.Id, job.Fence, second, Token);

        IReadOnlyList<JobEvent> events = await _jobs.ListEventsAsync(job.Id, Token);
        Assert.Equal([1, 2, 3, 4, 5, 6], events.Select(e => e.Sequence));
        Assert.Equal(
            ["accepted", "claimed", "step", "cancel_requested", "step", "warning"], events.Select(e => e.Kind));
        Assert.Equal(12, events[2].DurationMs);
    }

    [Fact]
    public async Task An_outcome_makes_the_job_final_with_its_images_and_again_changes_nothing()
    {
        JobRecord job = await ClaimAsync(await InsertAsync());
        ImageRecord image = Image(job);
        JobOutcome outcome = Outcome(job, JobStatus.Succeeded, image);

        bool first = await _jobs.DeliverAsync(outcome, Token);
        JobRecord final = (await _jobs.FindAsync(job.Id, Token))!;
        bool second = await _jobs.DeliverAsync(outcome, Token);

        Assert.True(first);
        Assert.False(second);
        Assert.Equal((JobStatus.Succeeded, SnapshotStep.Finished), (final.Status, final.Step));
        Assert.NotNull(final.FinishedAt);
        Assert.Null(final.BytesPerSecond);
        Assert.Equal(image.Image, Assert.Single(final.Disks).Image);
        Assert.Equivalent(final, await _jobs.FindAsync(job.Id, Token));
        ImageRecord? stored = await new ImageTable(database.Database).FindAsync(image.Image.Id, Token);
        Assert.Equivalent(image, stored);
    }

    [Theory]
    [InlineData(true, 1)]
    [InlineData(false, 0)]
    public async Task A_requeued_job_is_as_new_but_for_its_attempts_of_which_a_stop_of_the_service_is_none(
        bool hasDied, int attempts)
    {
        JobRecord job = await ClaimAsync(await InsertAsync());
        await _jobs.WriteProgressAsync(job.Id, job.Fence, Progress(SnapshotStep.Uploading), Token);

        bool requeued = await _jobs.DeliverAsync(Outcome(job, JobStatus.Queued) with { IsStop = !hasDied }, Token);

        JobRecord again = (await _jobs.FindAsync(job.Id, Token))!;
        Assert.True(requeued);
        Assert.Equal((JobStatus.Queued, SnapshotStep.Pending, attempts), (again.Status, again.Step, again.Attempts));
        Assert.True(again.Fence > job.Fence);
        Assert.Empty(again.Disks);
        Assert.Null(again.Capture);
        Assert.Equal(attempts + 1, (await ClaimAsync(again)).Attempts);
    }

    [Fact]
    public async Task A_job_that_its_user_cancels_is_not_requeued()
    {
        JobRecord job = await ClaimAsync(await InsertAsync());
        await _jobs.RequestCancelAsync(job.Id, job.CreatedAt, Token);

        Assert.False(await _jobs.DeliverAsync(Outcome(job, JobStatus.Queued), Token));

        Assert.Equal(JobStatus.Running, (await _jobs.FindAsync(job.Id, Token))!.Status);
    }

    private static RunEvent Event(int ordinal, string kind) =>
        new(ordinal, TimeProvider.System.GetUtcNow(), kind, SnapshotStep.Planning, null, null);

    private static JobProgress Progress(SnapshotStep step, params RunEvent[] events) => new(
        step, CaptureKind.Backup, "why", [new JobDisk("vda", 10, 5, 3, null)], 17, Consistency.Crash, 15,
        new JobDowntime(4, 5, 6), 2, ["careful"], events);

    private static JobOutcome Outcome(JobRecord job, JobStatus status, ImageRecord? image = null) => new()
    {
        JobId = job.Id,
        Fence = job.Fence,
        Status = status,
        EndedAt = TimeProvider.System.GetUtcNow(),
        Error = status == JobStatus.Failed
            ? new JobError(SnapshotErrorCode.ToolFailed, "no", SnapshotStep.Uploading)
            : null,
        Progress = Progress(SnapshotStep.Finished) with { Disks = [new JobDisk("vda", 10, 5, 5, image?.Image)] },
        Images = image is null ? [] : [image],
    };

    private static ImageRecord Image(JobRecord job) => new(
        new StoredImage(Guid.NewGuid(), "directory", "x.qcow2", ImageFormat.Qcow2, 4711, new Digest("sha256", "ab")),
        "name",
        job.Id,
        job.ServerId,
        job.ServerName,
        job.Node,
        "vda",
        1 << 20,
        new Dictionary<string, string> { ["image_state"] = "available" },
        new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero));

    private Task<JobRecord> InsertAsync(Guid? serverId = null, string node = "n1", SnapshotRequest? request = null) =>
        _jobs.InsertAsync(
            Guid.CreateVersion7(),
            serverId ?? Guid.NewGuid(),
            "fed18",
            node,
            request ?? new SnapshotRequest("image"),
            Token);

    private async Task<JobRecord> ClaimAsync(JobRecord job)
    {
        JobRecord? claimed = await _jobs.ClaimAsync(job.Id, job.Node, Lease, 2, Token);
        Assert.NotNull(claimed);
        return claimed;
    }

    private Task EndLeaseAsync(Guid jobId) =>
        database.ExecuteAsync(
            $"UPDATE jobs SET lease_expires_at = clock_timestamp() - interval '1 second' WHERE id = '{jobId}'");
}
