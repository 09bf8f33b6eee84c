using System.CommandLine;
using SnapshotApi.Cli.Contracts;
using SnapshotApi.Cli.Http;
using SnapshotApi.Cli.Rendering;
using SnapshotApi.Cli.Watching;

namespace SnapshotApi.Cli.Commands;

/// <summary><c>snapshotctl job ID</c>.</summary>
internal sealed class JobCommand : CliCommand
{
    public JobCommand(GlobalOptions global)
        : base("job", "Show a job, or wait for it.")
    {
        Argument<string> id = Required("ID", "Id of the job.");
        var wait = new Option<bool>("--wait")
        {
            Description = "Wait until the job is final, with a progress bar; the exit status is then the job's outcome. "
                + "Ctrl-C stops the watching, not the job.",
        };
        Add(id);
        Add(wait);
        Details = ["Without --wait the exit status says only whether the job could be shown, not how it ended."];
        Examples = [("snapshotctl job 0199c3d2-7a1e-7c55-9d0e-3f1c2b4a5d6e --wait", "Watch a job that runs:")];
        SetAction((parsed, token) => global.RunAsync(
            parsed,
            (s, t) => parsed.GetValue(wait)
                ? WatchedJob.RunAsync(s, parsed.GetRequiredValue(id), t)
                : ShowAsync(s, parsed.GetRequiredValue(id), t),
            token));
    }

    private static async Task<int> ShowAsync(CliSession session, string id, CancellationToken cancellationToken)
    {
        ServiceAnswer answer = await session.Client.GetJobAsync(id, null, cancellationToken).ConfigureAwait(false);
        JobDocument job = answer.Read(CliJson.Default.JobDocument);
        return session.Answer(answer.Body, () => JobView.Write(job, session));
    }
}
