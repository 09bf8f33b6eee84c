using System.CommandLine;
using System.Text.Json;
using SnapshotApi.Cli.Downloads;
using SnapshotApi.Cli.Http;
using SnapshotApi.Cli.Rendering;
using SnapshotApi.Contracts;

namespace SnapshotApi.Cli.Commands;

/// <summary><c>snapshotctl image download ID</c>.</summary>
internal sealed class ImageDownloadCommand : CliCommand
{
    // The partial file adds some 40 characters; file systems take 255.
    private const int MaxNameLength = 150;

    public ImageDownloadCommand(GlobalOptions global)
        : base("download", "Download the file of an image.")
    {
        Argument<string> id = Required("ID", "Id of the image.");
        var output = new Option<string?>("--output", "-o")
        {
            Description = "File to write, or a directory. Default: the current directory. In a directory the file gets "
                + "the name that the service has for it.",
            HelpName = "FILE",
        };
        var verify = Flag(
            "--verify", "Also read the finished file back and check its digest. What is received is always checked.");
        var force = Flag("--force", "Replace the file if it exists.");
        Add(id);
        Add(output);
        Add(verify);
        Add(force);
        Details =
        [
            "The bytes go into a hidden partial file beside FILE, readable by its owner only. It gets its name when "
            + "its digest equals the recorded one. After an interruption the same command continues where it stopped. "
            + "If the digest differs, the partial file is deleted, with exit status 1. Runs of zeros become holes.",
        ];
        Examples =
        [
            (
                "snapshotctl image download 0199c3d5-11a0-7b3f-8e55-6d2f7c8b9a0c -o web-1.qcow2",
                "Fetch an image, or the rest of it:"),
            ("snapshotctl image download 0199c3d5-11a0-7b3f-8e55-6d2f7c8b9a0c --verify --json", "And read it back:"),
        ];
        Run(global, (parsed, s, t) => DownloadAsync(
            s,
            parsed.GetRequiredValue(id),
            parsed.GetValue(output),
            parsed.GetValue(verify),
            parsed.GetValue(force),
            t));
    }

    private static async Task<int> DownloadAsync(
        CliSession session, string id, string? output, bool verify, bool force, CancellationToken cancellationToken)
    {
        ServiceAnswer answer = await session.Client
            .GetAsync($"images/{SnapshotClient.Segment(id)}", cancellationToken).ConfigureAwait(false);
        Image image = answer.Read(CliJson.Default.Image);
        if (image.Id == Guid.Empty)
        {
            throw new ServiceUnreachableException("the answer names no image");
        }

        bool isNamed = output is not null && !Directory.Exists(output);
        string name = isNamed
            ? output!
            : await NameOfAsync(session.Client, image, cancellationToken).ConfigureAwait(false);
        string destination = Path.GetFullPath(isNamed || output is null ? name : Path.Combine(output, name));
        if (File.Exists(destination) && !force)
        {
            throw new CommandFailedException(
                ExitCode.Usage, "file_exists", $"{destination} exists already; --force replaces it");
        }

        try
        {
            var download = new ImageDownload(session.Client, image, destination, session.Timeout, session.Time);
            DownloadDocument done = await session.NewProgress()
                .RunAsync(show => download.RunAsync(verify, force, show, cancellationToken)).ConfigureAwait(false);
            JsonElement document = JsonSerializer.SerializeToElement(done, CliJson.Default.DownloadDocument);
            return session.Answer(document, () => session.WriteLine(
                TerminalText.Show($"{done.File}: {UnitText.Size(done.SizeBytes)}, {done.Digest}")));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandFailedException(
                ExitCode.Failed, "file_failed", $"cannot write {destination}: {e.Message}", e);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            session.Note("snapshotctl: stopped; the same command goes on from there.");
            throw;
        }
    }

    /// <summary>
    /// Name of the file: that of the service, or of image, disk and format. Only plain characters stay of it, and of a
    /// long one its end, which has the format.
    /// </summary>
    private static async Task<string> NameOfAsync(
        SnapshotClient client, Image image, CancellationToken cancellationToken)
    {
        string name = await client.FindFileNameAsync(image, cancellationToken).ConfigureAwait(false)
            ?? $"{image.Name}-{image.Target}.{image.Format}";
        string plain = string.Concat(
            name.Select(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_' ? c : '_'));
        string visible = plain[^Math.Min(plain.Length, MaxNameLength)..].TrimStart('.');
        return visible.Length > 0 ? visible : $"{image.Id:D}";
    }
}
