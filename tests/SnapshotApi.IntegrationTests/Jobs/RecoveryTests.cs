using Microsoft.Extensions.Logging.Abstractions;
using SnapshotApi.Errors;
using SnapshotApi.Hypervisor;
using SnapshotApi.IntegrationTests.Persistence;
using SnapshotApi.Journal;
using SnapshotApi.Persistence;
using SnapshotApi.Snapshots;
using SnapshotApi.Tests.Fakes;

namespace SnapshotApi.IntegrationTests.Jobs;

/// <summary>What a service finds that a former one left, and what it does while the database is away.</summary>
public sealed class RecoveryTests(TestDatabase database) : IClassFixture<TestDatabase>, IAsyncLifetime
{
    private readonly string _work = Directory.CreateTempSubdirectory("snapshotapi-jobs-").FullName;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() =>
        await database.ExecuteAsync(
            "TRUNCATE jobs, job_events, servers, nodes, images, idempotency_keys; TRUNCATE hangfire.jobqueue");

    public ValueTask DisposeAsync()
    {
        Directory.Delete(_work, recursive: true);
        return ValueTask.CompletedTask;
    }

    [Fact]
    public async Task A_run_whose_service_died_is_undone_and_the_job_runs_again()
    {
        JobRecord died = await LeaveDeadRunAsync();

        await using var host = new JobHost(database.ConnectionString, _work);
        await host.StartAsync();
        JobRecord job = await host.WaitForAsync(died.Id, JobStatus.Succeeded);

        Assert.Equal(2, job.Attempts);
        Assert.Equal([new ThawServer(died.ServerId), new DeleteFile("/scratch")], host.Undo.Undone);
        IReadOnlyList<JobEvent> events = await host.Jobs.ListEventsAsync(died.Id, Token);
        Assert.Equal(
            "the service died in step mirroring of run 1", Assert.Single(events, e => e.Kind == "requeued").Message);
        Assert.Empty(Directory.GetFiles(Path.Combine(_work, "journal")));
    }

    [Fact]
    public async Task A_job_that_killed_its_service_too_often_is_abandoned()
    {
        JobRecord died = await LeaveDeadRunAsync();

        await using var host = new JobHost(database.ConnectionString, _work, new() { ["Jobs:MaxAttempts"] = "1" });
        await host.StartAsync();
        JobRecord job = await host.WaitForAsync(died.Id, JobStatus.Failed);

        Assert.Equal(
            new JobError(
                SnapshotErrorCode.Abandoned,
                "the service died in step mirroring of run 1; it is not run again",
                SnapshotStep.Mirroring),
            job.Error);
        Assert.Equal(2, host.Undo.Undone.Count);
        Assert.Equal(0, host.Pipeline.Runs);
    }

    [Fact]
    public async Task A_job_that_was_being_cancelled_when_its_service_died_is_cancelled()
    {
        JobRecord died = await LeaveDeadRunAsync();
        await database.Jobs.RequestCancelAsync(died.Id, died.CreatedAt, Token);

        await using var host = new JobHost(database.ConnectionString, _work);
        await host.StartAsync();
        await host.WaitForAsync(died.Id, JobStatus.Cancelled);

        Assert.Equal(0, host.Pipeline.Runs);
    }

    [Fact]
    public async Task A_run_without_journal_is_found_when_its_lease_ends()
    {
        JobRecord died = await LeaveDeadRunAsync(withJournal: false);
        await database.ExecuteAsync("UPDATE jobs SET lease_expires_at = clock_timestamp() + interval '1 second'");

        await using var host = new JobHost(database.ConnectionString, _work);
        await host.StartAsync();

        Assert.Equal(2, (await host.WaitForAsync(died.Id, JobStatus.Succeeded)).Attempts);
    }

    [Fact]
    public async Task An_outcome_that_was_not_delivered_is_delivered_after_the_restart()
    {
        JobRecord died = await LeaveDeadRunAsync(outcome: job => new JobOutcome
        {
            JobId = job.Id,
            Fence = job.Fence,
            Status = JobStatus.Failed,
            EndedAt = TimeProvider.System.GetUtcNow(),
            Error = new JobError(SnapshotErrorCode.ToolFailed, "qemu-img said no", SnapshotStep.Uploading),
        });

        await using var host = new JobHost(database.ConnectionString, _work);
        await host.StartAsync();
        JobRecord job = await host.WaitForAsync(died.Id, JobStatus.Failed);

        Assert.Equal("qemu-img said no", job.Error!.Message);
        Assert.Equal(0, host.Pipeline.Runs);
        await JobHost.UntilAsync(_ => Task.FromResult(Directory.GetFiles(Path.Combine(_work, "journal")).Length == 0));
    }

    [Fact]
    public async Task What_is_left_is_undone_although_the_database_is_away()
    {
        JobRecord died = await LeaveDeadRunAsync();
        await using var proxy = new CuttableProxy(database.ConnectionString);
        proxy.Cut();

        await using var host = new JobHost(proxy.ConnectionString, _work);
        await host.StartAsync();
        await JobHost.UntilAsync(_ => Task.FromResult(host.Undo.Undone.Count == 2));
        Assert.Single(Directory.GetFiles(Path.Combine(_work, "journal")));
        proxy.Restore();
        await JobHost.UntilAsync(
            async ct => (await database.Jobs.FindAsync(died.Id, ct))!.Status == JobStatus.Succeeded);

        Assert.Equal(1, host.Pipeline.Runs);
    }

    [Fact]
    public async Task What_can_not_be_undone_is_a_problem_of_the_node_and_keeps_jobs_off_the_server()
    {
        JobRecord died = await LeaveDeadRunAsync();
        var undo = new FakeUndoExecutor { Fails = true };
        await using var host = new JobHost(database.ConnectionString, _work) { Undo = undo };
        await host.StartAsync();
        await JobHost.UntilAsync(async ct => (await host.Jobs.FindAsync(died.Id, ct))!.Warnings.Count > 0);
        await JobHost.UntilAsync(async ct => (await host.Get<NodeTable>().ListAsync(ct)) is [{ Problems.Count: 2 }]);
        JobRecord waiting = (await host.Jobs.FindAsync(died.Id, Token))!;
        Assert.Equal(JobStatus.Queued, waiting.Status);
        Assert.Equal("waits until what an earlier job left on the server is undone", Assert.Single(waiting.Warnings));
        Assert.Equal(0, host.Pipeline.Runs);

        undo.Fails = false;
        await host.WaitForAsync(died.Id, JobStatus.Succeeded);

        Assert.Equal(2, undo.Undone.Count);
        await JobHost.UntilAsync(async ct => (await host.Get<NodeTable>().ListAsync(ct)) is [{ Problems.Count: 0 }]);
    }

    [Fact]
    public async Task An_outcome_waits_for_a_database_that_went_away_under_the_run()
    {
        var goOn = new TaskCompletionSource();
        await using var proxy = new CuttableProxy(database.ConnectionString);
        await using var host = new JobHost(proxy.ConnectionString, _work);
        host.Pipeline.Body = FakePipeline.Hold(goOn.Task);
        await host.StartWithServerAsync();
        JobRecord job = await host.SubmitAsync("fed18");
        await host.WaitForAsync(job.Id, j => j.Step == SnapshotStep.Uploading);

        proxy.Cut();
        goOn.SetResult();
        string journal = Path.Combine(_work, "journal", $"{job.Id:D}.jsonl");
        await JobHost.UntilAsync(
            async ct => (await File.ReadAllTextAsync(journal, ct)).Contains("\"outcome\"", StringComparison.Ordinal));
        Assert.Equal(JobStatus.Running, (await database.Jobs.FindAsync(job.Id, Token))!.Status);
        var error = await Assert.ThrowsAsync<SnapshotException>(() => host.SubmitAsync("fed18"));
        proxy.Restore();
        await JobHost.UntilAsync(async ct => (await database.Jobs.FindAsync(job.Id, ct))!.IsFinal);

        Assert.Equal(SnapshotErrorCode.DatabaseUnavailable, error.Code);
        JobRecord final = (await database.Jobs.FindAsync(job.Id, Token))!;
        Assert.Equal((JobStatus.Succeeded, 1), (final.Status, final.Attempts));
        Assert.Equal(
            ["accepted", "claimed", "step", "step", "plan", "step", "step", "step", "image", "finished"],
            (await database.Jobs.ListEventsAsync(job.Id, Token)).Select(e => e.Kind));
        Assert.Single(
            await new ImageTable(database.Database).ListAsync(new ImageFilter(null, job.Id, null, 10), Token));
        await JobHost.UntilAsync(_ => Task.FromResult(!File.Exists(journal)));
        Assert.Equal(1, host.Pipeline.Runs);
    }

    [Fact]
    public async Task A_database_that_comes_back_finds_the_run_going_on_and_the_node_working()
    {
        var goOn = new TaskCompletionSource();
        await using var proxy = new CuttableProxy(database.ConnectionString);
        await using var host = new JobHost(proxy.ConnectionString, _work);
        host.Pipeline.Body = FakePipeline.Hold(goOn.Task);
        await host.StartWithServerAsync();
        JobRecord job = await host.SubmitAsync("fed18");
        await host.WaitForAsync(job.Id, j => j.Step == SnapshotStep.Uploading);

        proxy.Cut();
        await database.ExecuteAsync("UPDATE jobs SET lease_expires_at = clock_timestamp() - interval '1 second'");
        await database.Jobs.RequestCancelAsync(job.Id, job.CreatedAt, Token);
        proxy.Restore();
        await JobHost.UntilAsync(
            async ct => (await database.Jobs.FindAsync(job.Id, ct))!.Status == JobStatus.Cancelled);
        host.Pipeline.Body = new FakePipeline().Body;
        await JobHost.UntilAsync(_ => Task.FromResult(host.Get<DatabaseListener>().IsListening));
        JobRecord next = await host.SubmitAsync("fed18");
        await host.WaitForAsync(next.Id, JobStatus.Succeeded);

        Assert.Equal(2, host.Pipeline.Runs);
    }

    /// <summary>A claimed job and the journal of its run, as a service that was killed leaves them.</summary>
    private async Task<JobRecord> LeaveDeadRunAsync(
        bool withJournal = true, Func<JobRecord, JobOutcome>? outcome = null)
    {
        ServerDescription server = FakeHypervisor.Describe("fed18");
        JobRecord job = await database.Jobs.InsertAsync(
            Guid.CreateVersion7(), server.Id, server.Name, "test-node", JobHost.Request(), Token);
        job = (await database.Jobs.ClaimAsync(job.Id, "test-node", TimeSpan.FromMinutes(10), 2, Token))!;
        await database.Jobs.WriteProgressAsync(
            job.Id,
            job.Fence,
            new JobProgress(SnapshotStep.Mirroring, null, null, [], null, null, null, null, null, [], []),
            Token);
        if (withJournal)
        {
            using JobJournal journal = JobJournal.Create(
                Path.Combine(_work, "journal"),
                new JournalHeader(job.Id, job.ServerId, job.Attempts, job.Fence),
                new FakeUndoExecutor(),
                TimeProvider.System,
                NullLogger.Instance);
            if (outcome is not null)
            {
                journal.SetOutcome(outcome(job));
            }
            else
            {
                journal.Add(new DeleteFile("/scratch"));
                journal.Add(new ThawServer(job.ServerId));
            }
        }

        return job;
    }
}
