using System.CommandLine;
using SnapshotApi.Cli.Contracts;
using SnapshotApi.Cli.Http;
using SnapshotApi.Cli.Parsing;
using SnapshotApi.Cli.Rendering;

namespace SnapshotApi.Cli.Commands;

/// <summary><c>snapshotctl limit ID RATE</c>.</summary>
internal sealed class LimitCommand : CliCommand
{
    private const string None = "none";

    public LimitCommand(GlobalOptions global)
        : base("limit", "Change how fast a job may read.")
    {
        Argument<string> id = Required("ID", "Id of the job.");
        Argument<string> rate = Required("RATE", "Bytes a second: 50M is 50 MiB/s, the least is 64K. none lifts the limit.");
        rate.Validators.Add(result =>
        {
            if (result.Tokens is [var token] && token.Value != None && !SizeArgument.TryParse(token.Value, out _))
            {
                result.AddError($"'{token.Value}' is not a rate: give bytes a second such as 50M, or none");
            }
        });
        Add(id);
        Add(rate);
        Details =
        [
            "Changes the bandwidth limit of a job that waits or runs; one that runs follows within a second. What the guest waits for, the "
            + "copy of a top layer in a cold capture, is never limited. A job that is final already can't be changed (exit status 4).",
        ];
        Examples =
        [
            ("snapshotctl limit 0199c3d2-7a1e-7c55-9d0e-3f1c2b4a5d6e 20M", "Slow a job down while the store is busy:"),
            ("snapshotctl limit 0199c3d2-7a1e-7c55-9d0e-3f1c2b4a5d6e none", "Let it go on at full speed:"),
        ];
        SetAction((parsed, token) => global.RunAsync(
            parsed, (s, t) => LimitAsync(s, parsed.GetRequiredValue(id), parsed.GetRequiredValue(rate), t), token));
    }

    private static async Task<int> LimitAsync(CliSession session, string id, string rate, CancellationToken cancellationToken)
    {
        long? limit = rate != None && SizeArgument.TryParse(rate, out long bytes) ? bytes : null;
        ServiceAnswer answer = await session.Client.LimitJobAsync(id, limit, cancellationToken).ConfigureAwait(false);
        return session.Answer(answer.Body, () => JobView.Write(answer.Read(CliJson.Default.JobDocument), session));
    }
}
