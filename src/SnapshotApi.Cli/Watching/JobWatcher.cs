using SnapshotApi.Cli.Http;
using SnapshotApi.Cli.Rendering;
using SnapshotApi.Contracts;

namespace SnapshotApi.Cli.Watching;

/// <summary>
/// Follows a job by long polling until it is final. It waits for a service that restarts.
/// </summary>
/// <param name="client">The service.</param>
/// <param name="patience">How long the service may be away.</param>
/// <param name="time">Clock.</param>
internal sealed class JobWatcher(SnapshotClient client, TimeSpan patience, TimeProvider time)
{
    /// <summary>Prevents a tight loop when a service answers at once, or a proxy drops the query.</summary>
    private static readonly TimeSpan Spacing = TimeSpan.FromMilliseconds(200);

    /// <summary>Between attempts while the service is away.</summary>
    private static readonly TimeSpan RetryDelay = TimeSpan.FromSeconds(1);

    /// <summary>Follows the job.</summary>
    /// <param name="jobId">Id of the job.</param>
    /// <param name="onChange">Called with each state, the final one included.</param>
    /// <param name="onAway">Called with the reason, once each time the service stops answering.</param>
    /// <param name="cancellationToken">Stops watching; the job goes on.</param>
    /// <returns>The answer that holds the final job.</returns>
    public async Task<ServiceAnswer> WatchAsync(
        string jobId, Action<Job> onChange, Action<string> onAway, CancellationToken cancellationToken)
    {
        string? etag = null;
        long heardAt = time.GetTimestamp();
        bool isAway = false;
        while (true)
        {
            long askedAt = time.GetTimestamp();
            try
            {
                ServiceAnswer answer = await client.GetJobAsync(jobId, etag, cancellationToken).ConfigureAwait(false);
                (heardAt, isAway) = (time.GetTimestamp(), false);
                if (!answer.IsUnchanged)
                {
                    Job job = answer.Read(CliJson.Default.Job);
                    etag = answer.ETag;
                    onChange(job);
                    if (job.IsFinal())
                    {
                        return answer;
                    }
                }
            }
            catch (Exception e) when (e is ServiceUnreachableException or ProblemException { Status: >= 500 })
            {
                if (time.GetElapsedTime(heardAt) >= patience)
                {
                    throw;
                }

                if (!isAway)
                {
                    onAway(e.Message);
                    isAway = true;
                }

                await Task.Delay(RetryDelay, time, cancellationToken).ConfigureAwait(false);
            }

            TimeSpan early = Spacing - time.GetElapsedTime(askedAt);
            if (early > TimeSpan.Zero)
            {
                await Task.Delay(early, time, cancellationToken).ConfigureAwait(false);
            }
        }
    }
}

/// <summary><c>--poll</c> and <c>--wait</c>: shows progress, then the final job.</summary>
internal static class WatchedJob
{
    /// <summary>Runs until the job is final; an interrupt stops the watching only, and says so.</summary>
    /// <returns>The exit code of the job's outcome.</returns>
    public static async Task<int> RunAsync(CliSession session, string jobId, CancellationToken cancellationToken)
    {
        var watcher = new JobWatcher(session.Client, session.Timeout, session.Time);
        try
        {
            ServiceAnswer last = await session.NewProgress().RunAsync(show => watcher.WatchAsync(
                jobId,
                job => show(JobProgress.FrameOf(job)),
                away => show(new ProgressFrame($"waiting for the service: {away}", "away", [])),
                cancellationToken)).ConfigureAwait(false);
            Job final = last.Read(CliJson.Default.Job);
            session.Answer(last.Body, () => JobView.Write(final, session));
            return final.OutcomeExitCode();
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            string id = TerminalText.Show(jobId);
            session.Note($"snapshotctl: stopped watching; job {id} goes on.");
            session.Note($"  watch it again:  snapshotctl job {id} --wait");
            session.Note($"  cancel it:       snapshotctl cancel {id}");
            throw;
        }
    }
}

/// <summary>What the status of a job means.</summary>
internal static class JobOutcome
{
    /// <summary>The job will not change any more.</summary>
    public static bool IsFinal(this Job job) => job.Status is "succeeded" or "failed" or "cancelled";

    /// <summary>Exit status of a command that has waited for the job.</summary>
    public static int OutcomeExitCode(this Job job) => job.Status switch
    {
        "succeeded" => ExitCode.Ok,
        "cancelled" => ExitCode.Cancelled,
        _ => ExitCode.Failed,
    };
}
