using System.CommandLine;
using System.Text.Json;
using SnapshotApi.Cli.Contracts;
using SnapshotApi.Cli.Http;
using SnapshotApi.Cli.Rendering;

namespace SnapshotApi.Cli.Commands;

/// <summary><c>snapshotctl image delete ID</c>.</summary>
internal sealed class ImageDeleteCommand : CliCommand
{
    public ImageDeleteCommand(GlobalOptions global)
        : base("delete", "Delete an image from its store.")
    {
        Argument<string> id = Required("ID", "Id of the image.");
        Add(id);
        Examples = [("snapshotctl image delete 0199c3d5-11a0-7b3f-8e55-6d2f7c8b9a0c", "For good, without a question:")];
        SetAction((parsed, token) => global.RunAsync(parsed, (s, t) => DeleteAsync(s, parsed.GetRequiredValue(id), t), token));
    }

    private static async Task<int> DeleteAsync(CliSession session, string id, CancellationToken cancellationToken)
    {
        ServiceAnswer answer = await session.Client
            .DeleteAsync($"images/{SnapshotClient.Segment(id)}", cancellationToken).ConfigureAwait(false);
        JsonElement document = answer.Body.ValueKind == JsonValueKind.Undefined
            ? JsonSerializer.SerializeToElement(new ImageDocument { Id = id }, CliJson.Default.ImageDocument)
            : answer.Body;
        return session.Answer(document, () => session.WriteLine($"image {TerminalText.Show(id)} deleted"));
    }
}
