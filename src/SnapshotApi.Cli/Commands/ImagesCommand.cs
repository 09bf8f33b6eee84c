using System.CommandLine;
using System.Text.Json;
using SnapshotApi.Cli.Contracts;
using SnapshotApi.Cli.Http;
using SnapshotApi.Cli.Rendering;

namespace SnapshotApi.Cli.Commands;

/// <summary><c>snapshotctl images</c>.</summary>
internal sealed class ImagesCommand : CliCommand
{
    public ImagesCommand(GlobalOptions global)
        : base("images", "List the images that the stores hold.")
    {
        var server = new Option<string?>("--server") { Description = "Only images of this server (UUID or name).", HelpName = "SERVER" };
        Add(server);
        Examples =
        [
            ("snapshotctl images", "Every image, newest first:"),
            ("snapshotctl images --server web-1 --json", "Those of one server, for a program:"),
        ];
        SetAction((parsed, token) => global.RunAsync(parsed, (s, t) => ListAsync(s, parsed.GetValue(server), t), token));
    }

    private static async Task<int> ListAsync(CliSession session, string? server, CancellationToken cancellationToken)
    {
        IReadOnlyList<JsonElement> found = await Listing.ReadAsync(
            session.Client,
            "images" + QueryText.Of(("server", server), ("limit", $"{Listing.PageSize}")),
            null,
            _ => true,
            cancellationToken).ConfigureAwait(false);
        return ListView.Answer(
            session,
            found,
            [new("ID", IsWhole: true), "NAME", "SERVER", "DISK", "FORMAT", new("FILE SIZE", true), new("DISK SIZE", true), "STORE", "NODE", "CREATED"],
            element => RowOf(ServiceAnswer.Read(element, CliJson.Default.ImageDocument)),
            "no images");
    }

    private static Cell[] RowOf(ImageDocument image) =>
    [
        image.Id,
        image.Name,
        image.Server?.Name,
        image.Target,
        image.Format,
        UnitText.Size(image.SizeBytes),
        UnitText.Size(image.VirtualSizeBytes),
        image.Store,
        image.Node,
        UnitText.Instant(image.CreatedAt),
    ];
}
