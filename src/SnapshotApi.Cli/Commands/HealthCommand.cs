using System.CommandLine;
using SnapshotApi.Cli.Contracts;
using SnapshotApi.Cli.Http;
using SnapshotApi.Cli.Rendering;

namespace SnapshotApi.Cli.Commands;

/// <summary><c>snapshotctl health</c>.</summary>
internal sealed class HealthCommand : CliCommand
{
    public HealthCommand(GlobalOptions global)
        : base("health", "Say whether the service is ready, part by part.")
    {
        var live = new Option<bool>("--live") { Description = "Ask only whether the process answers, which needs no API key." };
        Add(live);
        Details = ["Exit status 0 when every part is ready, else 5."];
        Examples = [("snapshotctl health && echo ready", "For a script that waits for the service:")];
        SetAction((parsed, token) => global.RunAsync(parsed, parsed.GetValue(live) ? ShowLiveAsync : ShowAsync, token));
    }

    private static async Task<int> ShowLiveAsync(CliSession session, CancellationToken cancellationToken)
    {
        ServiceAnswer answer = await session.Client.GetAsync("health/live", cancellationToken).ConfigureAwait(false);
        ReadinessDocument report = answer.Read(CliJson.Default.ReadinessDocument);
        return session.Answer(answer.Body, () => session.WriteLine(TerminalText.Show($"{report.Status} (version {report.Version})")));
    }

    private static async Task<int> ShowAsync(CliSession session, CancellationToken cancellationToken)
    {
        ServiceAnswer answer = await session.Client.GetHealthAsync("health/ready", cancellationToken).ConfigureAwait(false);
        ReadinessDocument report = answer.Read(CliJson.Default.ReadinessDocument);
        session.Answer(answer.Body, () => Write(report, session));
        return answer.Status == 200 ? ExitCode.Ok : ExitCode.Unavailable;
    }

    private static void Write(ReadinessDocument report, CliSession session)
    {
        session.WriteLine(TerminalText.Show($"{report.Status} (version {report.Version}, role {report.Role})"));
        session.Tables.WriteTable(
            ["PART", "STATE", "MESSAGE"],
            [.. (report.Parts ?? []).Select(p => new Cell[]
            {
                p.Name,
                p.IsReady == true ? new Cell("ready", CliSession.StyleOf("succeeded")) : new Cell("not ready", CliSession.StyleOf("failed")),
                p.Message,
            })]);
    }
}
