using System.CommandLine;
using System.Text.Json;
using SnapshotApi.Cli.Contracts;
using SnapshotApi.Cli.Downloads;
using SnapshotApi.Cli.Http;
using SnapshotApi.Cli.Rendering;

namespace SnapshotApi.Cli.Commands;

/// <summary><c>snapshotctl image download ID</c>.</summary>
internal sealed class ImageDownloadCommand : CliCommand
{
    public ImageDownloadCommand(GlobalOptions global)
        : base("download", "Download the file of an image.")
    {
        Argument<string> id = Required("ID", "Id of the image.");
        var output = new Option<string?>("--output", "-o")
        {
            Description = "File to write, or a directory. Default: the image's name and format, in the current directory.",
            HelpName = "FILE",
        };
        var verify = new Option<bool>("--verify")
        {
            Description = "Also read the finished file back and check that digest. The digest of what is sent is always checked.",
        };
        var force = new Option<bool>("--force") { Description = "Replace the file if it exists." };
        Add(id);
        Add(output);
        Add(verify);
        Add(force);
        Details =
        [
            "The bytes go into a hidden partial file beside FILE, readable by its owner only, which gets its name when its digest equals "
            + "the recorded one. After an interruption the same command goes on from where it stopped. If the digest differs, the partial "
            + "file is deleted and the exit status is 1. Runs of zeros become holes.",
        ];
        Examples =
        [
            ("snapshotctl image download 0199c3d5-11a0-7b3f-8e55-6d2f7c8b9a0c -o web-1.qcow2", "Fetch an image, or the rest of it:"),
            ("snapshotctl image download 0199c3d5-11a0-7b3f-8e55-6d2f7c8b9a0c --verify --json", "And read it back:"),
        ];
        SetAction((parsed, token) => global.RunAsync(
            parsed,
            (s, t) => DownloadAsync(
                s, parsed.GetRequiredValue(id), parsed.GetValue(output), parsed.GetValue(verify), parsed.GetValue(force), t),
            token));
    }

    private static async Task<int> DownloadAsync(
        CliSession session, string id, string? output, bool verify, bool force, CancellationToken cancellationToken)
    {
        ServiceAnswer answer = await session.Client
            .GetAsync($"images/{SnapshotClient.Segment(id)}", cancellationToken).ConfigureAwait(false);
        ImageDocument image = answer.Read(CliJson.Default.ImageDocument);
        if (!Guid.TryParse(image.Id, out _))
        {
            throw new ServiceUnreachableException("the answer names no image");
        }

        string destination = DestinationOf(image, output);
        if (File.Exists(destination) && !force)
        {
            throw new CommandFailedException(ExitCode.Usage, "file_exists", $"{destination} exists already; --force replaces it");
        }

        try
        {
            var download = new ImageDownload(session.Client, image, destination, session.Timeout, session.Time);
            DownloadDocument done = await session.NewProgress()
                .RunAsync(show => download.RunAsync(verify, force, show, cancellationToken)).ConfigureAwait(false);
            JsonElement document = JsonSerializer.SerializeToElement(done, CliJson.Default.DownloadDocument);
            return session.Answer(document, () => session.WriteLine(
                $"{TerminalText.Show(done.File)}: {UnitText.Size(done.SizeBytes)}, {TerminalText.Show(done.Digest.ToString())}"));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandFailedException(ExitCode.Failed, "file_failed", $"cannot write {destination}: {e.Message}", e);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            session.Note("snapshotctl: stopped; the same command goes on from there.");
            throw;
        }
    }

    /// <summary>Absolute path of the file. A name from the service becomes a file name only after all but plain characters are replaced.</summary>
    private static string DestinationOf(ImageDocument image, string? output)
    {
        string plain = string.Concat((image.Name ?? "").Select(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_' ? c : '_'));
        plain = plain.TrimStart('.');
        string stem = plain.Length == 0 ? image.Id! : plain[..Math.Min(plain.Length, 150)];
        string extension = image.Format is "qcow2" or "raw" ? "." + image.Format : "";
        string name = stem.EndsWith(extension, StringComparison.Ordinal) ? stem : stem + extension;
        return Path.GetFullPath(output is null ? name : Directory.Exists(output) ? Path.Combine(output, name) : output);
    }
}
