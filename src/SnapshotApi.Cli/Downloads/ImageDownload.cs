using System.Net;
using System.Security.Cryptography;
using SnapshotApi.Cli.Http;
using SnapshotApi.Cli.Rendering;
using SnapshotApi.Contracts;

namespace SnapshotApi.Cli.Downloads;

/// <summary>
/// Fetches the file of an image into a partial file. It continues where an earlier run stopped, and after broken
/// connections. The file gets its name only when its digest is the recorded one.
/// </summary>
/// <param name="client">The service.</param>
/// <param name="image">The image.</param>
/// <param name="destination">Absolute path that the file gets.</param>
/// <param name="idle">How long a connection may move no byte before another one is made.</param>
/// <param name="time">Clock.</param>
internal sealed class ImageDownload(
    SnapshotClient client, Image image, string destination, TimeSpan idle, TimeProvider time)
{
    /// <summary>How many connections in a row may move no byte before the download fails.</summary>
    private const int MostFailures = 5;

    private static readonly TimeSpan RetryDelay = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan FrameInterval = TimeSpan.FromMilliseconds(200);

    private readonly RateMeter _rate = new(time);
    private long _shownAt;

    /// <summary>Runs the download.</summary>
    /// <param name="verify">Read the finished file back and compare that, too.</param>
    /// <param name="force">Replace what is there.</param>
    /// <param name="show">Called with the progress.</param>
    /// <param name="cancellationToken">Stops the download; the partial file stays for the next run.</param>
    /// <exception cref="CommandFailedException">It is not the image: the partial file is deleted.</exception>
    public async Task<DownloadDocument> RunAsync(
        bool verify, bool force, Action<ProgressFrame> show, CancellationToken cancellationToken)
    {
        // Step 1: take over what an earlier run fetched.
        using PartialFile part = PartialFile.Open(destination, image.Id, AlgorithmOf(image.Digest));
        if (part.LengthBytes > 0)
        {
            Show(show, "resuming", part.LengthBytes, always: true);
        }

        long resumedAt = await part.ResumeAsync(image.SizeBytes, cancellationToken).ConfigureAwait(false);

        // Step 2: fetch the rest, however many connections it takes.
        await FetchAsync(part, show, cancellationToken).ConfigureAwait(false);

        // Step 3: verify it.
        part.Complete();
        Verify(part, part.Digest(), "what was sent");
        if (verify)
        {
            Show(show, "verifying", part.Position, always: true);
            Verify(part, await part.DigestOfFileAsync(cancellationToken).ConfigureAwait(false), "the file read back");
        }

        // Step 4: give it its name.
        File.Move(part.Path, destination, overwrite: force);
        Show(show, "downloaded", part.Position, always: true);
        return new DownloadDocument(image.Id, destination, part.Position, resumedAt, image.Digest);
    }

    private static HashAlgorithmName AlgorithmOf(ImageDigest? digest) => digest?.Algorithm switch
    {
        "sha256" => HashAlgorithmName.SHA256,
        "sha384" => HashAlgorithmName.SHA384,
        "sha512" => HashAlgorithmName.SHA512,
        _ => throw new CommandFailedException(
            ExitCode.Failed,
            "digest_unknown",
            $"the image's digest '{digest?.Algorithm}' can't be checked by this client"),
    };

    private async Task FetchAsync(PartialFile part, Action<ProgressFrame> show, CancellationToken cancellationToken)
    {
        int failures = 0;
        while (part.Position < image.SizeBytes)
        {
            long before = part.Position;
            string why;
            try
            {
                await FetchOnceAsync(part, show, cancellationToken).ConfigureAwait(false);
                why = "the connection ended early";
            }
            catch (Exception e) when (e is ServiceUnreachableException or ProblemException { Status: >= 500 })
            {
                why = e.Message;
            }

            failures = part.Position > before ? 1 : failures + 1;
            if (part.Position >= image.SizeBytes)
            {
                return;
            }

            if (failures >= MostFailures)
            {
                throw new ServiceUnreachableException(
                    $"the download broke off at {UnitText.Size(part.Position)} of {UnitText.Size(image.SizeBytes)}: "
                    + $"{why}; run it again to go on from there");
            }

            await Task.Delay(RetryDelay, time, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task FetchOnceAsync(PartialFile part, Action<ProgressFrame> show, CancellationToken cancellationToken)
    {
        using HttpResponseMessage response = await client
            .OpenImageAsync(image, part.Position, cancellationToken).ConfigureAwait(false);
        if (response.StatusCode == HttpStatusCode.OK && part.Position > 0)
        {
            part.Restart();
        }

        Check(response, part.Position);
        Stream body = await response.Content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
        await using (body.ConfigureAwait(false))
        {
            var buffer = new byte[1 << 20];
            while (part.Position < image.SizeBytes)
            {
                (int read, ServiceUnreachableException? broken) =
                    await FillAsync(body, buffer, cancellationToken).ConfigureAwait(false);
                int wanted = (int)Math.Min(read, image.SizeBytes - part.Position);
                await part.AppendAsync(buffer.AsMemory(0, wanted), cancellationToken).ConfigureAwait(false);
                Show(show, "downloading", part.Position);
                if (broken is not null)
                {
                    throw broken;
                }

                if (read < buffer.Length)
                {
                    return;
                }
            }
        }
    }

    /// <summary>Refuses an answer that belongs to a file of another length or begins elsewhere.</summary>
    private void Check(HttpResponseMessage response, long offset)
    {
        var range = response.Content.Headers.ContentRange;
        long? total = response.StatusCode == HttpStatusCode.OK ? response.Content.Headers.ContentLength : range?.Length;
        bool isElsewhere = response.StatusCode == HttpStatusCode.PartialContent && range?.From != offset;
        if (response.StatusCode == HttpStatusCode.RequestedRangeNotSatisfiable || isElsewhere
            || (total is { } length && length != image.SizeBytes))
        {
            throw new CommandFailedException(
                ExitCode.Failed,
                "image_changed",
                $"the file that the service sends is not the recorded one of {image.SizeBytes} bytes");
        }
    }

    /// <summary>Fills the buffer as far as the connection goes; what came before it broke is kept.</summary>
    private async Task<(int Read, ServiceUnreachableException? Broken)> FillAsync(
        Stream body, byte[] buffer, CancellationToken cancellationToken)
    {
        int filled = 0;
        using var patience = new CancellationTokenSource(Timeout.InfiniteTimeSpan, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, patience.Token);
        try
        {
            while (filled < buffer.Length)
            {
                patience.CancelAfter(idle);
                int read = await body.ReadAsync(buffer.AsMemory(filled), either.Token).ConfigureAwait(false);
                if (read == 0)
                {
                    break;
                }

                filled += read;
            }

            return (filled, null);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            return (filled, new ServiceUnreachableException($"nothing came for {idle.TotalSeconds:0} s", e));
        }
        catch (Exception e) when (e is IOException or HttpRequestException)
        {
            return (filled, new ServiceUnreachableException($"the connection broke: {e.Message}", e));
        }
    }

    private void Verify(PartialFile part, string digest, string what)
    {
        if (!string.Equals(digest, image.Digest.Value, StringComparison.OrdinalIgnoreCase))
        {
            part.Delete();
            throw new CommandFailedException(
                ExitCode.Failed,
                "digest_mismatch",
                $"{what} is not the image: its {image.Digest.Algorithm} is {digest}, recorded is {image.Digest.Value}; "
                + "the partial file was deleted");
        }
    }

    private void Show(Action<ProgressFrame> show, string phase, long position, bool always = false)
    {
        if (!always && time.GetElapsedTime(_shownAt) < FrameInterval)
        {
            return;
        }

        _shownAt = time.GetTimestamp();
        long? rate = phase == "downloading" ? _rate.Add(position) : null;
        TimeSpan? left = rate > 0 ? TimeSpan.FromSeconds((double)(image.SizeBytes - position) / rate.Value) : null;
        double percent = image.SizeBytes == 0 ? 100 : 100.0 * position / image.SizeBytes;
        show(new ProgressFrame(
            $"{phase} {image.Name} to {destination}",
            phase,
            [new ProgressRow("file", position, image.SizeBytes, percent, rate, left)]));
    }
}

/// <summary>What <c>image download --json</c> writes.</summary>
/// <param name="ImageId">The image.</param>
/// <param name="File">Absolute path of the file.</param>
/// <param name="SizeBytes">Length of the file.</param>
/// <param name="ResumedAtBytes">How much of it an earlier run had fetched.</param>
/// <param name="Digest">Digest of the file, equal to the recorded one.</param>
internal sealed record DownloadDocument(
    Guid ImageId, string File, long SizeBytes, long ResumedAtBytes, ImageDigest Digest);

/// <summary>Bytes a second over the last seconds.</summary>
internal sealed class RateMeter(TimeProvider time)
{
    /// <summary>Long enough to be calm, short enough to show a stall.</summary>
    private static readonly TimeSpan Window = TimeSpan.FromSeconds(5);

    private readonly Queue<(long At, long Position)> _samples = new();

    /// <summary>Takes a position and answers the rate; null while there is too little to tell.</summary>
    public long? Add(long position)
    {
        long now = time.GetTimestamp();
        _samples.Enqueue((now, position));
        while (_samples.Count > 2 && time.GetElapsedTime(_samples.Peek().At, now) > Window)
        {
            _samples.Dequeue();
        }

        (long at, long first) = _samples.Peek();
        double seconds = time.GetElapsedTime(at, now).TotalSeconds;
        return seconds < 0.2 ? null : (long)((position - first) / seconds);
    }
}
