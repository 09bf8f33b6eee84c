using System.Collections.Concurrent;
using System.Transactions;
using SnapshotApi.Captures;
using SnapshotApi.Errors;
using SnapshotApi.Hypervisor;
using SnapshotApi.IntegrationTests.Persistence;
using SnapshotApi.Jobs;
using SnapshotApi.Journal;
using SnapshotApi.Persistence;
using SnapshotApi.Snapshots;
using SnapshotApi.Tests.Fakes;

namespace SnapshotApi.IntegrationTests.Jobs;

/// <summary>Jobs from POST to their end, on a node whose pipeline is a fake.</summary>
public sealed class NodeTests(TestDatabase database) : IClassFixture<TestDatabase>, IAsyncLifetime
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    // Tests of one class run one after the other; a node starts with no rows of another's.
    public async ValueTask InitializeAsync() =>
        await database.ExecuteAsync(
            "TRUNCATE jobs, job_events, servers, nodes, images, idempotency_keys; TRUNCATE hangfire.jobqueue");

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Fact]
    public async Task A_job_runs_to_its_image()
    {
        await using var host = new JobHost(database.ConnectionString);
        ServerDescription server = await host.StartWithServerAsync();

        JobRecord accepted = await host.SubmitAsync("fed18", JobHost.Request("snap1"));
        JobRecord job = await host.WaitForAsync(accepted.Id, JobStatus.Succeeded);

        Assert.Equal((server.Id, 1, CaptureKind.Backup), (job.ServerId, job.Attempts, job.Capture));
        JobDisk disk = Assert.Single(job.Disks);
        Assert.Equal(
            ("vda", 1L << 20, 1L << 16, 1L << 16), (disk.Target, disk.SizeBytes, disk.AllocatedBytes, disk.BytesDone));
        ImageRecord image = Assert.Single(
            await host.Get<ImageTable>().ListAsync(new ImageFilter(server.Id, null, null, 10), Token));
        Assert.Equal(disk.Image, image.Image);
        Assert.Equal(("snap1", job.Id, "fed18", "test-node"), (image.Name, image.JobId, image.ServerName, image.Node));
        IReadOnlyList<JobEvent> events = await host.Jobs.ListEventsAsync(job.Id, Token);
        Assert.Equal(
            ["accepted", "claimed", "step", "plan", "step", "step", "step", "image", "finished"],
            events.Select(e => e.Kind));
        Assert.All(events.Where(e => e.Kind == "step"), e => Assert.NotNull(e.DurationMs));
        Assert.Equal(Enumerable.Range(1, events.Count).Select(i => (long)i), events.Select(e => e.Sequence));
        Assert.Empty(host.Undo.Undone);
        Assert.Empty(Directory.GetFiles(Path.Combine(host.WorkDirectory, "journal")));
    }

    [Fact]
    public async Task A_job_begins_soon_after_it_was_accepted()
    {
        await using var host = new JobHost(database.ConnectionString);
        await host.StartWithServerAsync();
        var latencies = new List<double>();
        for (int i = 0; i < 15; i++)
        {
            var began = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            host.Pipeline.Body = FakePipeline.Hold(Task.CompletedTask, began);
            long start = TimeProvider.System.GetTimestamp();
            JobRecord job = await host.SubmitAsync("fed18");
            await began.Task.WaitAsync(TimeSpan.FromSeconds(60), Token);
            latencies.Add(TimeProvider.System.GetElapsedTime(start).TotalMilliseconds);
            await host.WaitForAsync(job.Id, JobStatus.Succeeded);
        }

        latencies.Sort();
        TestContext.Current.TestOutputHelper?.WriteLine(
            $"POST to running, ms: {string.Join(' ', latencies.Select(l => l.ToString("F0")))}");
        Assert.Equal(15, host.Pipeline.Runs);
    }

    [Fact]
    public async Task Two_deliveries_make_one_run()
    {
        var goOn = new TaskCompletionSource();
        await using var host = new JobHost(database.ConnectionString);
        await host.StartWithServerAsync();
        host.Pipeline.Body = FakePipeline.Hold(goOn.Task);

        JobRecord job = await host.SubmitAsync("fed18");
        await host.Get<JobEnqueuer>().EnqueueAsync(job.Id, "test-node", Token);
        await host.WaitForAsync(job.Id, JobStatus.Running);
        await host.Get<JobEnqueuer>().EnqueueAsync(job.Id, "test-node", Token);
        await JobHost.UntilAsync(async _ => await CountUnfetchedAsync() == 0);
        goOn.SetResult();
        await host.WaitForAsync(job.Id, JobStatus.Succeeded);
        await host.Get<JobEnqueuer>().EnqueueAsync(job.Id, "test-node", Token);
        await JobHost.UntilAsync(
            async _ => await database.ScalarAsync<long>("SELECT count(*) FROM hangfire.jobqueue") == 0);

        Assert.Equal(1, host.Pipeline.Runs);
        Assert.Equal(1, (await host.Jobs.FindAsync(job.Id, Token))!.Attempts);
    }

    [Fact]
    public async Task A_delivery_that_times_out_again_and_again_during_a_run_is_harmless()
    {
        var goOn = new TaskCompletionSource();
        await using var host = new JobHost(database.ConnectionString);
        await host.StartWithServerAsync();
        host.Pipeline.Body = FakePipeline.Hold(goOn.Task);
        JobRecord job = await host.SubmitAsync("fed18");
        await host.WaitForAsync(job.Id, JobStatus.Running);

        // What a worker whose heartbeat of the delivery is lost looks like to Hangfire: it gives the job to the next
        // one.
        for (int i = 0; i < 3; i++)
        {
            using (TransactionScope transaction = JobEnqueuer.BeginTransaction())
            {
                await host.Get<JobEnqueuer>().EnqueueAsync(job.Id, "test-node", Token);
                Assert.True(await host.Get<Database>().ExecuteAsync(
                    "UPDATE hangfire.jobqueue SET fetchedat = clock_timestamp() - interval '1 hour'", [], Token) > 0);
                transaction.Complete();
            }

            await JobHost.UntilAsync(async _ => await database.ScalarAsync<long>(
                """
                SELECT count(*) FROM hangfire.jobqueue
                WHERE fetchedat IS NULL OR fetchedat < clock_timestamp() - interval '30 minutes'
                """) == 0);
        }

        goOn.SetResult();
        await host.WaitForAsync(job.Id, JobStatus.Succeeded);

        Assert.Equal(1, host.Pipeline.Runs);
        Assert.Equal(1, (await host.Jobs.FindAsync(job.Id, Token))!.Attempts);
    }

    [Fact]
    public async Task No_more_jobs_run_at_once_than_the_node_may()
    {
        var goOn = new TaskCompletionSource();
        await using var host = new JobHost(database.ConnectionString, settings: new() { ["Node:MaxJobs"] = "2" });
        host.Pipeline.Body = FakePipeline.Hold(goOn.Task);
        foreach (string name in new[] { "a", "b", "c" })
        {
            host.Hypervisor.Put(FakeHypervisor.Describe(name));
        }

        await host.StartAsync();
        await host.WaitUntilPublishedAsync("c");
        JobRecord[] jobs = [await host.SubmitAsync("a"), await host.SubmitAsync("b"), await host.SubmitAsync("c")];
        await JobHost.UntilAsync(_ => Task.FromResult(host.Pipeline.Runs == 2));
        await JobHost.UntilAsync(async ct => (await host.Get<NodeTable>().ListAsync(ct))[0].RunningJobs == 2);
        Assert.Equal(JobStatus.Queued, (await host.Jobs.FindAsync(jobs[2].Id, Token))!.Status);
        goOn.SetResult();

        foreach (JobRecord job in jobs)
        {
            await host.WaitForAsync(job.Id, JobStatus.Succeeded);
        }
    }

    [Fact]
    public async Task A_failure_is_told_with_its_code_and_step()
    {
        await using var host = new JobHost(database.ConnectionString);
        await host.StartWithServerAsync();
        host.Pipeline.Body = (_, journal, observer, _) =>
        {
            observer.StepStarted(SnapshotStep.Mirroring);
            journal.Add(new DeleteFile("/scratch"));
            throw new SnapshotException(SnapshotErrorCode.StoreFailed, "the store said no", new IOException("secret"));
        };

        JobRecord job = await host.WaitForAsync((await host.SubmitAsync("fed18")).Id, JobStatus.Failed);

        Assert.Equal(
            new JobError(SnapshotErrorCode.StoreFailed, "the store said no", SnapshotStep.Mirroring), job.Error);
        Assert.Equal(new DeleteFile("/scratch"), Assert.Single(host.Undo.Undone));
        Assert.Equal("failed: the store said no", (await host.Jobs.ListEventsAsync(job.Id, Token))[^1].Message);
    }

    [Fact]
    public async Task A_defect_is_an_internal_error_without_its_text()
    {
        await using var host = new JobHost(database.ConnectionString);
        await host.StartWithServerAsync();
        host.Pipeline.Body = (_, _, _, _) => throw new InvalidOperationException("/host/path and a secret");

        JobRecord job = await host.WaitForAsync((await host.SubmitAsync("fed18")).Id, JobStatus.Failed);

        Assert.Equal(SnapshotErrorCode.InternalError, job.Error!.Code);
        Assert.DoesNotContain("secret", job.Error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_running_job_that_its_user_cancels_is_undone_and_cancelled()
    {
        await using var host = new JobHost(database.ConnectionString);
        await host.StartWithServerAsync();
        host.Pipeline.Body = (work, journal, observer, ct) =>
        {
            journal.Add(new ThawServer(work.ServerId));
            return FakePipeline.Hold(new TaskCompletionSource().Task)(work, journal, observer, ct);
        };
        JobRecord job = await host.SubmitAsync("fed18");
        await host.WaitForAsync(job.Id, j => j.Step == SnapshotStep.Uploading);

        JobRecord asked = await host.Get<JobCanceller>().CancelAsync(job.Id, Token);
        JobRecord cancelled = await host.WaitForAsync(job.Id, JobStatus.Cancelled);

        Assert.Equal((JobStatus.Running, true), (asked.Status, asked.CancelRequested));
        Assert.Equal(
            (SnapshotErrorCode.Cancelled, SnapshotStep.Uploading), (cancelled.Error!.Code, cancelled.Error.Step));
        Assert.Equal(new ThawServer(job.ServerId), Assert.Single(host.Undo.Undone));
        Assert.Contains("cancel_requested", (await host.Jobs.ListEventsAsync(job.Id, Token)).Select(e => e.Kind));
        Assert.Equal(JobStatus.Cancelled, (await host.Get<JobCanceller>().CancelAsync(job.Id, Token)).Status);
    }

    [Fact]
    public async Task A_queued_job_that_its_user_cancels_never_runs()
    {
        var goOn = new TaskCompletionSource();
        await using var host = new JobHost(database.ConnectionString, settings: new() { ["Node:MaxJobs"] = "1" });
        host.Pipeline.Body = FakePipeline.Hold(goOn.Task);
        host.Hypervisor.Put(FakeHypervisor.Describe("other"));
        await host.StartWithServerAsync();
        await host.WaitUntilPublishedAsync("other");
        JobRecord first = await host.SubmitAsync("other");
        await host.WaitForAsync(first.Id, JobStatus.Running);
        JobRecord job = await host.SubmitAsync("fed18");

        JobRecord cancelled = await host.Get<JobCanceller>().CancelAsync(job.Id, Token);
        goOn.SetResult();
        await host.WaitForAsync(first.Id, JobStatus.Succeeded);
        await JobHost.UntilAsync(
            async _ => await database.ScalarAsync<long>("SELECT count(*) FROM hangfire.jobqueue") == 0);

        Assert.Equal(JobStatus.Cancelled, cancelled.Status);
        Assert.Equal(1, host.Pipeline.Runs);
        Assert.Equal(
            ["accepted", "cancel_requested", "finished"],
            (await host.Jobs.ListEventsAsync(job.Id, Token)).Select(e => e.Kind));
    }

    [Fact]
    public async Task A_job_that_is_not_there_can_not_be_cancelled()
    {
        await using var host = new JobHost(database.ConnectionString);
        await host.StartWithServerAsync();

        var error = await Assert.ThrowsAsync<SnapshotException>(
            () => host.Get<JobCanceller>().CancelAsync(Guid.NewGuid(), Token));

        Assert.Equal(SnapshotErrorCode.JobNotFound, error.Code);
    }

    [Fact]
    public async Task A_job_past_its_deadline_fails_as_timed_out()
    {
        await using var host = new JobHost(database.ConnectionString);
        await host.StartWithServerAsync();
        host.Pipeline.Body = FakePipeline.Hold(new TaskCompletionSource().Task);

        JobRecord job = await host.WaitForAsync(
            (await host.SubmitAsync("fed18", JobHost.Request() with { DeadlineSeconds = 1 })).Id, JobStatus.Failed);

        Assert.Equal(SnapshotErrorCode.TimedOut, job.Error!.Code);
    }

    [Fact]
    public async Task A_run_that_lost_its_job_is_undone_and_writes_nothing()
    {
        await using var host = new JobHost(
            database.ConnectionString, settings: new() { ["Jobs:SweepInterval"] = "00:10:00" });
        await host.StartWithServerAsync();
        host.Pipeline.Body = (work, journal, observer, ct) =>
        {
            journal.Add(new ThawServer(work.ServerId));
            return FakePipeline.Hold(new TaskCompletionSource().Task)(work, journal, observer, ct);
        };
        JobRecord job = await host.SubmitAsync("fed18");
        await host.WaitForAsync(job.Id, j => j.Step == SnapshotStep.Uploading);

        await database.ExecuteAsync($"UPDATE jobs SET fence = fence + 1 WHERE id = '{job.Id}'");
        JobRecord taken = (await host.Jobs.FindAsync(job.Id, Token))!;
        await JobHost.UntilAsync(_ => Task.FromResult(host.Get<LiveRuns>().Count == 0));

        Assert.Equivalent(taken, await host.Jobs.FindAsync(job.Id, Token));
        Assert.Equal(new ThawServer(job.ServerId), Assert.Single(host.Undo.Undone));
        Assert.Empty(Directory.GetFiles(Path.Combine(host.WorkDirectory, "journal")));
    }

    [Fact]
    public async Task A_service_that_stops_undoes_its_run_and_the_next_one_runs_the_job_again()
    {
        string work = Directory.CreateTempSubdirectory("snapshotapi-jobs-").FullName;
        try
        {
            var hypervisor = new FakeHypervisor();
            Guid jobId;
            await using (var first = new JobHost(database.ConnectionString, work) { Hypervisor = hypervisor })
            {
                await first.StartWithServerAsync();
                first.Pipeline.Body = (run, journal, observer, ct) =>
                {
                    journal.Add(new ThawServer(run.ServerId));
                    return FakePipeline.Hold(new TaskCompletionSource().Task)(run, journal, observer, ct);
                };
                jobId = (await first.SubmitAsync("fed18")).Id;
                await first.WaitForAsync(jobId, j => j.Step == SnapshotStep.Uploading);
                await first.StopAsync();
                Assert.Single(first.Undo.Undone);
            }

            JobRecord requeued = (await database.Jobs.FindAsync(jobId, Token))!;
            Assert.Equal((JobStatus.Queued, 0), (requeued.Status, requeued.Attempts));
            await using var second = new JobHost(database.ConnectionString, work) { Hypervisor = hypervisor };
            await second.StartAsync();
            JobRecord job = await second.WaitForAsync(jobId, JobStatus.Succeeded);

            Assert.Equal(1, job.Attempts);
            IReadOnlyList<JobEvent> events = await second.Jobs.ListEventsAsync(jobId, Token);
            Assert.Equal(
                "the service stopped in step uploading", Assert.Single(events, e => e.Kind == "requeued").Message);
        }
        finally
        {
            Directory.Delete(work, recursive: true);
        }
    }

    /// <summary>A stop of the service is no attempt; the time that passed until it counts all the same.</summary>
    [Fact]
    public async Task A_deadline_goes_on_across_a_stop_of_the_service()
    {
        string work = Directory.CreateTempSubdirectory("snapshotapi-jobs-").FullName;
        try
        {
            var hypervisor = new FakeHypervisor();
            Guid jobId;
            await using (var first = new JobHost(database.ConnectionString, work) { Hypervisor = hypervisor })
            {
                await first.StartWithServerAsync();
                first.Pipeline.Body = FakePipeline.Hold(new TaskCompletionSource().Task);
                jobId = (await first.SubmitAsync("fed18", JobHost.Request() with { DeadlineSeconds = 3600 })).Id;
                await first.WaitForAsync(jobId, j => j.Step == SnapshotStep.Uploading);
                await first.StopAsync();
            }

            await database.ExecuteAsync($"""
                UPDATE jobs
                SET started_at = started_at - interval '2 hours', created_at = created_at - interval '3 hours'
                WHERE id = '{jobId}'
                """);
            await using var second = new JobHost(database.ConnectionString, work) { Hypervisor = hypervisor };
            second.Pipeline.Body = FakePipeline.Hold(new TaskCompletionSource().Task);
            await second.StartAsync();
            JobRecord job = await second.WaitForAsync(jobId, JobStatus.Failed);

            Assert.Equal(SnapshotErrorCode.TimedOut, job.Error!.Code);
        }
        finally
        {
            Directory.Delete(work, recursive: true);
        }
    }

    /// <summary>It would wait for ever, and nobody would know for what.</summary>
    [Fact]
    public async Task A_job_for_which_nothing_can_be_written_on_the_node_fails_and_says_so()
    {
        await using var host = new JobHost(database.ConnectionString);
        await host.StartWithServerAsync();
        string locks = Path.Combine(host.WorkDirectory, "locks");
        Directory.Delete(locks, recursive: true);
        await File.WriteAllTextAsync(locks, "no directory", Token);

        JobRecord job = await host.WaitForAsync((await host.SubmitAsync("fed18")).Id, JobStatus.Failed);

        Assert.Equal(
            (SnapshotErrorCode.NoSpace, "the node's work directory can't be written"),
            (job.Error!.Code, job.Error.Message));
        Assert.NotNull(host.Get<NodeDirectories>().FindProblem());
        File.Delete(locks);
        Assert.Null(host.Get<NodeDirectories>().FindProblem());
        await host.WaitForAsync((await host.SubmitAsync("fed18")).Id, JobStatus.Succeeded);
    }

    [Fact]
    public async Task A_second_service_on_the_node_refuses_to_start()
    {
        await using var first = new JobHost(database.ConnectionString);
        await first.StartWithServerAsync();
        await using var second = new JobHost(database.ConnectionString, first.WorkDirectory);

        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => second.StartAsync());

        Assert.Contains("another SnapshotApi service works in", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_queued_job_that_lost_its_delivery_is_enqueued_again()
    {
        await using var host = new JobHost(database.ConnectionString);
        ServerDescription server = await host.StartWithServerAsync();
        JobRecord job = await host.Jobs.InsertAsync(
            Guid.CreateVersion7(), server.Id, "fed18", "test-node", JobHost.Request(), Token);

        await host.WaitForAsync(job.Id, JobStatus.Succeeded);

        Assert.Equal(1, host.Pipeline.Runs);
    }

    [Fact]
    public async Task A_queued_job_that_is_not_brought_though_a_worker_is_free_is_enqueued_again()
    {
        await using var host = new JobHost(database.ConnectionString);
        ServerDescription server = await host.StartWithServerAsync();
        var id = Guid.CreateVersion7();
        using (TransactionScope transaction = JobEnqueuer.BeginTransaction())
        {
            await host.Jobs.InsertAsync(id, server.Id, "fed18", "test-node", JobHost.Request(), Token);
            await host.Get<JobEnqueuer>().EnqueueAsync(id, "test-node", Token);

            // As a worker leaves it that has fetched the delivery, and hangs.
            await host.Get<Database>().ExecuteAsync(
                "UPDATE hangfire.jobqueue SET fetchedat = clock_timestamp() + interval '1 hour'", [], Token);
            transaction.Complete();
        }

        JobRecord job = await host.WaitForAsync(id, JobStatus.Succeeded);

        Assert.Equal((1, 1), (host.Pipeline.Runs, job.Attempts));
    }

    [Fact]
    public async Task The_node_is_told_of_a_job_that_was_enqueued_for_it()
    {
        await using var host = new JobHost(database.ConnectionString);
        await host.StartWithServerAsync();
        ConcurrentQueue<string?> told = new();
        using IDisposable subscription = host.Get<DatabaseListener>().Subscribe(Channels.Queue, told.Enqueue);

        JobRecord job = await host.SubmitAsync("fed18");
        await host.WaitForAsync(job.Id, JobStatus.Succeeded);

        await JobHost.UntilAsync(_ => Task.FromResult(!told.IsEmpty));
        Assert.Equal(["test-node"], told);
    }

    [Fact]
    public async Task Progress_that_the_database_refused_is_written_again()
    {
        var goOn = new TaskCompletionSource();
        await using var host = new JobHost(database.ConnectionString);
        await host.StartWithServerAsync();
        host.Pipeline.Body = FakePipeline.Hold(goOn.Task);
        await database.ExecuteAsync("""
            CREATE SEQUENCE refusals;
            CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                PERFORM nextval('refusals');
                RAISE EXCEPTION 'not today';
            END $$;
            CREATE TRIGGER tr_refuse BEFORE UPDATE ON jobs
                FOR EACH ROW WHEN (NEW.step = 'uploading') EXECUTE FUNCTION refuse();
            """);
        JobRecord job = await host.SubmitAsync("fed18");

        await JobHost.UntilAsync(async _ => await database.ScalarAsync<bool>("SELECT is_called FROM refusals"));
        await database.ExecuteAsync("DROP FUNCTION refuse CASCADE; DROP SEQUENCE refusals");

        await host.WaitForAsync(job.Id, j => j.Step == SnapshotStep.Uploading);
        goOn.SetResult();
        await host.WaitForAsync(job.Id, JobStatus.Succeeded);
    }

    [Fact]
    public async Task A_waiting_reader_hears_of_each_change_and_of_the_end()
    {
        var goOn = new TaskCompletionSource();
        await using var host = new JobHost(database.ConnectionString);
        await host.StartWithServerAsync();
        host.Pipeline.Body = FakePipeline.Hold(goOn.Task);
        JobFeed waiter = host.Get<JobFeed>();
        JobRecord job = await host.SubmitAsync("fed18");
        JobRecord uploading = await host.WaitForAsync(job.Id, j => j.Step == SnapshotStep.Uploading);

        Task<JobRecord?> unchanged = waiter.WaitForChangeAsync(
            job.Id, uploading.Version, TimeSpan.FromMinutes(1), Token);
        Assert.Equal(
            uploading.Version,
            (await waiter.WaitForChangeAsync(job.Id, uploading.Version, TimeSpan.Zero, Token))!.Version);
        Assert.False(unchanged.IsCompleted);
        goOn.SetResult();
        JobRecord? changed = await unchanged;
        JobRecord final = await host.WaitForAsync(job.Id, JobStatus.Succeeded);

        Assert.True(changed!.Version > uploading.Version);
        Assert.Equal(
            final.Version,
            (await waiter.WaitForChangeAsync(job.Id, final.Version, TimeSpan.FromMinutes(1), Token))!.Version);
        Assert.Null(await waiter.WaitForChangeAsync(Guid.NewGuid(), 0, TimeSpan.FromMinutes(1), Token));
    }

    private Task<long> CountUnfetchedAsync() =>
        database.ScalarAsync<long>("SELECT count(*) FROM hangfire.jobqueue WHERE fetchedat IS NULL");
}
