using System.CommandLine;
using System.Text.Json;
using SnapshotApi.Cli.Contracts;
using SnapshotApi.Cli.Http;
using SnapshotApi.Cli.Rendering;

namespace SnapshotApi.Cli.Commands;

/// <summary><c>snapshotctl cancel ID</c>.</summary>
internal sealed class CancelCommand : CliCommand
{
    public CancelCommand(GlobalOptions global)
        : base("cancel", "Cancel a job.")
    {
        Argument<string> id = Required("ID", "Id of the job.");
        Add(id);
        Details =
        [
            "Asks for the job to be cancelled, which is possible in every step; the guest is left as it was found and no image stays. "
            + "Asking twice does no harm. A job that is final already can't be cancelled (exit status 4).",
        ];
        Examples = [("snapshotctl cancel 0199c3d2-7a1e-7c55-9d0e-3f1c2b4a5d6e", "Cancel a job that runs or waits:")];
        SetAction((parsed, token) => global.RunAsync(parsed, (s, t) => CancelAsync(s, parsed.GetRequiredValue(id), t), token));
    }

    private static async Task<int> CancelAsync(CliSession session, string id, CancellationToken cancellationToken)
    {
        ServiceAnswer answer = await session.Client
            .DeleteAsync($"jobs/{SnapshotClient.Segment(id)}", cancellationToken).ConfigureAwait(false);
        JsonElement document = answer.Body.ValueKind == JsonValueKind.Undefined
            ? JsonSerializer.SerializeToElement(new JobDocument { Id = id }, CliJson.Default.JobDocument)
            : answer.Body;
        return session.Answer(document, () => session.WriteLine($"cancel of job {TerminalText.Show(id)} requested"));
    }
}
