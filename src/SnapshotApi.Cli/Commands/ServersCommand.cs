using System.CommandLine;
using System.IO.Enumeration;
using System.Text.Json;
using SnapshotApi.Cli.Contracts;
using SnapshotApi.Cli.Http;
using SnapshotApi.Cli.Rendering;

namespace SnapshotApi.Cli.Commands;

/// <summary><c>snapshotctl servers</c>.</summary>
internal sealed class ServersCommand : CliCommand
{
    public ServersCommand(GlobalOptions global)
        : base("servers", "List the servers of all nodes.")
    {
        var name = new Option<string?>("--name") { Description = "Only servers of this name; * and ? stand for any characters.", HelpName = "PATTERN" };
        var node = new Option<string?>("--node") { Description = "Only servers of this node.", HelpName = "NODE" };
        Add(name);
        Add(node);
        Examples =
        [
            ("snapshotctl servers", "Every server, as its node last saw it:"),
            ("snapshotctl servers --name 'web-*' --node kvm1", "The web servers of one node:"),
        ];
        SetAction((parsed, token) => global.RunAsync(parsed, (s, t) => ListAsync(s, parsed.GetValue(name), parsed.GetValue(node), t), token));
    }

    private static async Task<int> ListAsync(CliSession session, string? pattern, string? node, CancellationToken cancellationToken)
    {
        IReadOnlyList<JsonElement> found = await Listing.ReadAsync(
            session.Client,
            "servers" + QueryText.Of(("node", node), ("limit", $"{Listing.PageSize}")),
            null,
            e => pattern is null || FileSystemName.MatchesSimpleExpression(pattern, Read(e).Name ?? "", ignoreCase: false),
            cancellationToken).ConfigureAwait(false);
        return ListView.Answer(
            session,
            found,
            [new("ID", IsWhole: true), "NAME", "NODE", "POWER", "AGENT", "DISKS", "BUSY WITH"],
            element => RowOf(Read(element)),
            "no servers");
    }

    private static ServerDocument Read(JsonElement element) => ServiceAnswer.Read(element, CliJson.Default.ServerDocument);

    private static Cell[] RowOf(ServerDocument server) =>
    [
        server.Id,
        server.Name,
        server.Node,
        new Cell(server.PowerState, CliSession.StyleOf(server.PowerState)),
        server.Agent switch { { IsConnected: true } => "connected", { IsDefined: true } => "silent", _ => "none" },
        string.Join(",", (server.Disks ?? []).Where(d => d.Device is "disk" or "lun").Select(d => d.Target)),
        server.ActiveJob ?? "-",
    ];
}
