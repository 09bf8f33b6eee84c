using System.CommandLine;
using System.Text.Json;
using SnapshotApi.Cli.Http;
using SnapshotApi.Cli.Rendering;
using SnapshotApi.Contracts;

namespace SnapshotApi.Cli.Commands;

/// <summary><c>snapshotctl images</c>.</summary>
internal sealed class ImagesCommand : CliCommand
{
    public ImagesCommand(GlobalOptions global)
        : base("images", "List the images that the stores hold.")
    {
        var server = Text("--server", "SERVER", "Only images of this server (UUID or name).");
        Add(server);
        Examples =
        [
            ("snapshotctl images", "Every image, newest first:"),
            ("snapshotctl images --server web-1 --json", "Those of one server, for a program:"),
        ];
        Run(global, (parsed, s, t) => ListAsync(s, parsed.GetValue(server), t));
    }

    private static async Task<int> ListAsync(CliSession session, string? server, CancellationToken cancellationToken)
    {
        string path = "images" + QueryText.Of(("server", server), ("limit", $"{Listing.PageSize}"));
        IReadOnlyList<JsonElement> found =
            await Listing.ReadAsync(session.Client, path, cancellationToken).ConfigureAwait(false);
        return ListView.Answer(
            session,
            found,
            [
                new("ID", IsWhole: true), "NAME", "SERVER", "DISK", "FORMAT", new("FILE SIZE", true),
                new("DISK SIZE", true), "STORE", "NODE", "CREATED",
            ],
            element => RowOf(ServiceAnswer.Read(element, CliJson.Default.Image)),
            "no images");
    }

    private static Cell[] RowOf(Image image) =>
    [
        image.Id.ToString(),
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

/// <summary><c>snapshotctl image</c>: what can be done with one image.</summary>
internal sealed class ImageCommand : CliCommand
{
    public ImageCommand(GlobalOptions global)
        : base("image", "Show, download or delete an image.")
    {
        Add(new ImageShowCommand(global));
        Add(new ImageDownloadCommand(global));
        Add(new ImageDeleteCommand(global));
    }
}

/// <summary><c>snapshotctl image show ID</c>.</summary>
internal sealed class ImageShowCommand : CliCommand
{
    public ImageShowCommand(GlobalOptions global)
        : base("show", "Show an image and its properties.")
    {
        Argument<string> id = Required("ID", "Id of the image.");
        Add(id);
        Examples =
        [
            ("snapshotctl image show 0199c3d5-11a0-7b3f-8e55-6d2f7c8b9a0c", "How it was made, and its digest:"),
        ];
        Run(global, (parsed, s, t) => ShowAsync(s, parsed.GetRequiredValue(id), t));
    }

    private static async Task<int> ShowAsync(CliSession session, string id, CancellationToken cancellationToken)
    {
        ServiceAnswer answer = await session.Client
            .GetAsync($"images/{SnapshotClient.Segment(id)}", cancellationToken).ConfigureAwait(false);
        Image image = answer.Read(CliJson.Default.Image);
        return session.Answer(answer.Body, () => Write(image, session));
    }

    private static void Write(Image image, CliSession session)
    {
        session.Tables.WriteFacts(
            ("Image", image.Id.ToString()),
            ("Name", image.Name),
            ("Server", image.Server is { } server ? $"{server.Name} ({server.Id}), disk {image.Target}" : null),
            ("Format", image.Format),
            ("File size", $"{UnitText.Size(image.SizeBytes)} ({image.SizeBytes} bytes)"),
            ("Disk size", UnitText.Size(image.VirtualSizeBytes)),
            ("Digest", image.Digest?.ToString()),
            ("Store", $"{image.Store}: {image.Location}"),
            ("Node", image.Node),
            ("Job", image.JobId.ToString()),
            ("Created", UnitText.Instant(image.CreatedAt)));
        if (image.Properties is { Count: > 0 } properties)
        {
            session.WriteLine("");
            session.Tables.WriteTable(
                ["PROPERTY", "VALUE"],
                [.. properties.OrderBy(p => p.Key, StringComparer.Ordinal).Select(p => new Cell[] { p.Key, p.Value })]);
        }
    }
}

/// <summary><c>snapshotctl image delete ID</c>.</summary>
internal sealed class ImageDeleteCommand : CliCommand
{
    public ImageDeleteCommand(GlobalOptions global)
        : base("delete", "Delete an image from its store.")
    {
        Argument<string> id = Required("ID", "Id of the image.");
        Add(id);
        Examples = [("snapshotctl image delete 0199c3d5-11a0-7b3f-8e55-6d2f7c8b9a0c", "For good, without a question:")];
        Run(global, (parsed, s, t) => DeleteAsync(s, parsed.GetRequiredValue(id), t));
    }

    private static async Task<int> DeleteAsync(CliSession session, string id, CancellationToken cancellationToken)
    {
        ServiceAnswer answer = await session.Client
            .DeleteAsync($"images/{SnapshotClient.Segment(id)}", cancellationToken).ConfigureAwait(false);
        JsonElement document = answer.Body.ValueKind == JsonValueKind.Undefined
            ? JsonSerializer.SerializeToElement(new IdDocument(id), CliJson.Default.IdDocument)
            : answer.Body;
        return session.Answer(document, () => session.WriteLine($"image {TerminalText.Show(id)} deleted"));
    }
}
