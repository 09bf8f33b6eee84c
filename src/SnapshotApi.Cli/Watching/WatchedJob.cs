using SnapshotApi.Cli.Contracts;
using SnapshotApi.Cli.Http;
using SnapshotApi.Cli.Rendering;

namespace SnapshotApi.Cli.Watching;

/// <summary>Watches a job with a progress display and answers with its final state: <c>--poll</c> and <c>--wait</c>.</summary>
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
            JobDocument final = last.Read(CliJson.Default.JobDocument);
            session.Answer(last.Body, () => JobView.Write(final, session));
            return final.OutcomeExitCode;
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
