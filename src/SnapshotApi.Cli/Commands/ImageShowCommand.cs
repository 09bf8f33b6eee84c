using System.CommandLine;
using SnapshotApi.Cli.Contracts;
using SnapshotApi.Cli.Http;
using SnapshotApi.Cli.Rendering;

namespace SnapshotApi.Cli.Commands;

/// <summary><c>snapshotctl image show ID</c>.</summary>
internal sealed class ImageShowCommand : CliCommand
{
    public ImageShowCommand(GlobalOptions global)
        : base("show", "Show an image and its properties.")
    {
        Argument<string> id = Required("ID", "Id of the image.");
        Add(id);
        Examples = [("snapshotctl image show 0199c3d5-11a0-7b3f-8e55-6d2f7c8b9a0c", "How it was made, and its digest:")];
        SetAction((parsed, token) => global.RunAsync(parsed, (s, t) => ShowAsync(s, parsed.GetRequiredValue(id), t), token));
    }

    private static async Task<int> ShowAsync(CliSession session, string id, CancellationToken cancellationToken)
    {
        ServiceAnswer answer = await session.Client
            .GetAsync($"images/{SnapshotClient.Segment(id)}", cancellationToken).ConfigureAwait(false);
        ImageDocument image = answer.Read(CliJson.Default.ImageDocument);
        return session.Answer(answer.Body, () => Write(image, session));
    }

    private static void Write(ImageDocument image, CliSession session)
    {
        session.Tables.WriteFacts(
            ("Image", image.Id),
            ("Name", image.Name),
            ("Server", image.Server is { } server ? $"{server.Name} ({server.Id}), disk {image.Target}" : null),
            ("Format", image.Format),
            ("File size", $"{UnitText.Size(image.SizeBytes)} ({image.SizeBytes} bytes)"),
            ("Disk size", UnitText.Size(image.VirtualSizeBytes)),
            ("Digest", image.Digest?.ToString()),
            ("Store", $"{image.Store}: {image.Location}"),
            ("Node", image.Node),
            ("Job", image.JobId),
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
