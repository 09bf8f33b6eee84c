using System.CommandLine;
using System.Globalization;
using System.IO.Enumeration;
using System.Text.Json;
using SnapshotApi.Cli.Http;
using SnapshotApi.Cli.Rendering;
using SnapshotApi.Contracts;

namespace SnapshotApi.Cli.Commands;

/// <summary><c>snapshotctl servers</c>.</summary>
internal sealed class ServersCommand : CliCommand
{
    public ServersCommand(GlobalOptions global)
        : base("servers", "List the servers of all nodes.")
    {
        var name = Text("--name", "PATTERN", "Only servers of this name; * and ? stand for any characters.");
        var node = Text("--node", "NODE", "Only servers of this node.");
        Add(name);
        Add(node);
        Examples =
        [
            ("snapshotctl servers", "Every server, as its node last saw it:"),
            ("snapshotctl servers --name 'web-*' --node kvm1", "The web servers of one node:"),
        ];
        Run(global, (parsed, s, t) => ListAsync(s, parsed.GetValue(name), parsed.GetValue(node), t));
    }

    private static async Task<int> ListAsync(
        CliSession session, string? pattern, string? node, CancellationToken cancellationToken)
    {
        IReadOnlyList<JsonElement> found = await Listing.ReadAsync(
            session.Client,
            "servers" + QueryText.Of(("node", node), ("limit", $"{Listing.PageSize}")),
            null,
            e => pattern is null || FileSystemName.MatchesSimpleExpression(pattern, Read(e).Name, ignoreCase: false),
            cancellationToken).ConfigureAwait(false);
        return ListView.Answer(
            session,
            found,
            [new("ID", IsWhole: true), "NAME", "NODE", "POWER", "AGENT", "DISKS", "BUSY WITH"],
            element => RowOf(Read(element)),
            "no servers");
    }

    private static Server Read(JsonElement element) => ServiceAnswer.Read(element, CliJson.Default.Server);

    private static Cell[] RowOf(Server server) =>
    [
        server.Id.ToString(),
        server.Name,
        server.Node,
        new Cell(server.PowerState, CliSession.StyleOf(server.PowerState)),
        server.Agent switch { { IsConnected: true } => "connected", { IsDefined: true } => "silent", _ => "none" },
        string.Join(",", (server.Disks ?? []).Where(d => d.Device is "disk" or "lun").Select(d => d.Target)),
        server.ActiveJob ?? "-",
    ];
}

/// <summary><c>snapshotctl server REF</c>.</summary>
internal sealed class ServerCommand : CliCommand
{
    public ServerCommand(GlobalOptions global)
        : base("server", "Show a server and its disks.")
    {
        Argument<string> server = Required("SERVER", "UUID of the server, or its name if no other has it.");
        Add(server);
        Examples = [("snapshotctl server web-1", "What can be imaged of a server:")];
        Run(global, (parsed, s, t) => ShowAsync(s, parsed.GetRequiredValue(server), t));
    }

    private static async Task<int> ShowAsync(CliSession session, string reference, CancellationToken cancellationToken)
    {
        ServiceAnswer answer = await session.Client
            .GetAsync($"servers/{SnapshotClient.Segment(reference)}", cancellationToken).ConfigureAwait(false);
        Server server = answer.Read(CliJson.Default.Server);
        return session.Answer(answer.Body, () => Write(server, session));
    }

    private static void Write(Server server, CliSession session)
    {
        session.Tables.WriteFacts(
            ("Server", server.Id.ToString()),
            ("Name", server.Name),
            ("Node", server.Node),
            ("Power state", new Cell(server.PowerState, CliSession.StyleOf(server.PowerState))),
            ("Type", string.Join(", ", new[] { server.Type, server.Architecture }.Where(t => t is not null))),
            ("Definition", server.IsPersistent ? "persistent" : "transient"),
            ("Guest agent", server.Agent switch
            {
                { IsConnected: true } => "connected",
                { IsDefined: true } => "defined, not connected",
                _ => "none",
            }),
            ("Busy with", server.ActiveJob),
            ("Problem", server.Problem),
            ("Seen", UnitText.Instant(server.SeenAt)));
        if (server.Disks is { Count: > 0 } disks)
        {
            session.WriteLine("");
            session.Tables.WriteTable(
                ["DISK", "DEVICE", "SOURCE", "FORMAT", new("LAYERS", true), "REMARKS"],
                [.. disks.Select(d => new Cell[]
                {
                    d.Target,
                    d.Device,
                    d.SourceType,
                    d.Format ?? "-",
                    d.Layers.ToString(CultureInfo.InvariantCulture),
                    RemarksOf(d),
                })]);
        }
    }

    private static string RemarksOf(ServerDisk disk) => string.Join(", ", new[]
    {
        disk.IsReadOnly ? "read-only" : null,
        disk.IsShareable ? "shareable" : null,
        disk.IsTransient ? "transient" : null,
        disk.IsEncrypted ? "encrypted" : null,
        disk.BootOrder is { } order ? $"boots {order}" : null,
    }.Where(r => r is not null));
}

/// <summary><c>snapshotctl health</c>.</summary>
internal sealed class HealthCommand : CliCommand
{
    public HealthCommand(GlobalOptions global)
        : base("health", "Say whether the service is ready, part by part.")
    {
        var live = Flag("--live", "Ask only whether the process answers, which needs no API key.");
        Add(live);
        Details = ["Exit status 0 when every part is ready, else 5."];
        Examples = [("snapshotctl health && echo ready", "For a script that waits for the service:")];
        SetAction((parsed, token) => parsed.GetValue(live)
            ? global.RunAsync(parsed, ShowLiveAsync, token, needsKey: false)
            : global.RunAsync(parsed, ShowAsync, token));
    }

    private static async Task<int> ShowLiveAsync(CliSession session, CancellationToken cancellationToken)
    {
        ServiceAnswer answer = await session.Client.GetAsync("health/live", cancellationToken).ConfigureAwait(false);
        Liveness report = answer.Read(CliJson.Default.Liveness);
        return session.Answer(
            answer.Body, () => session.WriteLine(TerminalText.Show($"{report.Status} (version {report.Version})")));
    }

    private static async Task<int> ShowAsync(CliSession session, CancellationToken cancellationToken)
    {
        ServiceAnswer answer =
            await session.Client.GetHealthAsync("health/ready", cancellationToken).ConfigureAwait(false);
        Readiness report = answer.Read(CliJson.Default.Readiness);
        session.Answer(answer.Body, () => Write(report, session));
        return answer.Status == 200 ? ExitCode.Ok : ExitCode.Unavailable;
    }

    private static void Write(Readiness report, CliSession session)
    {
        session.WriteLine(TerminalText.Show($"{report.Status} (version {report.Version}, role {report.Role})"));
        session.Tables.WriteTable(
            ["PART", "STATE", "MESSAGE"],
            [.. (report.Parts ?? []).Select(p => new Cell[]
            {
                p.Name,
                p.IsReady
                    ? new Cell("ready", CliSession.StyleOf("succeeded"))
                    : new Cell("not ready", CliSession.StyleOf("failed")),
                p.Message,
            })]);
    }
}
