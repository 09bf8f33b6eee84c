using SnapshotApi.Host;
using SnapshotApi.Images;
using SnapshotApi.Journal;

namespace SnapshotApi.Stores.Glance;

/// <summary>
/// Images in OpenStack's image service. A record is made first, under an id that we choose and have journalled; it
/// becomes visible as an image (<c>active</c>) when Glance has the whole file, and is believed only when size and
/// digest are ours.
/// </summary>
internal sealed class GlanceStore(GlanceClient client, IOptions<StoresOptions> options, TimeProvider time) : IImageStore
{
    // A record stays "saving" for ever when its Glance was killed, so the wait has an end: as long as a slow backend
    // takes to copy the file once more, and some minutes for what does not depend on its length.
    private static readonly TimeSpan LongestCommit = TimeSpan.FromMinutes(30);
    private const long SlowestCommitBytesPerSecond = 16 << 20;

    private static readonly TimeSpan RecordPollInterval = TimeSpan.FromSeconds(2);

    private string? _reportedAlgorithm;

    public string Name => StoreNames.Glance;

    public string DigestAlgorithm => _reportedAlgorithm ?? options.Value.Glance.HashAlgorithm;

    public bool IsConfigured => options.Value.Glance.IsConfigured();

    public bool TakesFiles => false;

    public IReadOnlyList<string> Problems(string name, IReadOnlyDictionary<string, string> properties) =>
        GlanceRecord.Problems(name, properties);

    public Task PrepareAsync(CancellationToken cancellationToken) => client.CheckAsync(cancellationToken);

    public async Task<BaseImage?> FindBaseAsync(Guid imageId, CancellationToken cancellationToken) =>
        await client.FindAsync(imageId, cancellationToken).ConfigureAwait(false) is { } image
            ? new BaseImage(image.ContainerFormat, image.Texts)
            : null;

    public async Task<IImageUpload> BeginAsync(
        ImageDescription image, JobJournal journal, CancellationToken cancellationToken)
    {
        if (image.IsReserved)
        {
            return await AdoptAsync(image, cancellationToken).ConfigureAwait(false);
        }

        journal.Keep(journal.Add(new DeleteImage(Name, image.Id)));
        await client.CreateAsync(GlanceRecord.Compose(image), cancellationToken).ConfigureAwait(false);
        return new GlanceUpload(
            this,
            image,
            await client.OpenFileAsync(image.Id, image.LengthBytes, cancellationToken).ConfigureAwait(false));
    }

    /// <summary>
    /// Takes a record that somebody waits at. It is told what the image is before its file is opened, and never in the
    /// moment in which Glance changes its status: a change of a record writes back the status that was read with it.
    /// </summary>
    private async Task<IImageUpload> AdoptAsync(ImageDescription image, CancellationToken cancellationToken)
    {
        GlanceImage record = await client.FindAsync(image.Id, cancellationToken).ConfigureAwait(false)
            ?? throw new SnapshotException(
                SnapshotErrorCode.ImageDeleted, "the image was deleted in Glance before it was written");
        if (record.Status != "queued")
        {
            throw new SnapshotException(
                SnapshotErrorCode.StoreFailed, $"the image in Glance is '{record.Status}' and takes no file")
            {
                // Glance may not have noticed yet that the connection of an earlier try is cut.
                IsTransient = record.Status == "saving",
            };
        }

        await client.ChangeAsync(image.Id, GlanceRecord.ComposeChange(image, record), cancellationToken)
            .ConfigureAwait(false);
        GlanceTransfer transfer = await client.OpenFileAsync(image.Id, image.LengthBytes, cancellationToken)
            .ConfigureAwait(false);
        return new GlanceUpload(this, image, transfer, new GlanceProgress(client, image, transfer, time));
    }

    public Task<bool> DeleteAsync(Guid imageId, CancellationToken cancellationToken) =>
        client.DeleteAsync(imageId, cancellationToken);

    /// <summary>
    /// The file is whole: waits until Glance has it. Behind the last byte a backend may copy, hash or commit for longer
    /// than any server is silent otherwise; as long as the record says <c>saving</c> it is waited for.
    /// </summary>
    internal async Task FinishAsync(
        ImageDescription image, GlanceTransfer transfer, CancellationToken cancellationToken)
    {
        long start = time.GetTimestamp();
        TimeSpan longest = LongestCommit + TimeSpan.FromSeconds(image.LengthBytes / SlowestCommitBytesPerSecond);
        while (true)
        {
            try
            {
                await transfer.FinishAsync(cancellationToken).ConfigureAwait(false);
                return;
            }
            catch (SnapshotException e) when (e.Code == SnapshotErrorCode.TimedOut || transfer.HasGatewayTimedOut)
            {
                string? status = (await client.FindAsync(image.Id, cancellationToken).ConfigureAwait(false))?.Status;
                if (status == "active")
                {
                    return;
                }

                if (status is not ("saving" or "importing") || time.GetElapsedTime(start) > longest)
                {
                    throw;
                }
            }

            // The answer of a proxy that has given up is there at once each time.
            if (transfer.HasGatewayTimedOut)
            {
                await Task.Delay(RecordPollInterval, time, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Compares what Glance holds with what was sent.</summary>
    internal async Task<StoredImage> VerifyAsync(
        ImageDescription image, Digest digest, CancellationToken cancellationToken)
    {
        GlanceImage held = await client.FindAsync(image.Id, cancellationToken).ConfigureAwait(false)
            ?? throw new SnapshotException(
                SnapshotErrorCode.ImageDeleted, "the image was deleted in Glance as soon as it was whole");
        if (held.Status != "active" || held.SizeBytes != image.LengthBytes)
        {
            throw Rejected(
                $"Glance holds {held.SizeBytes ?? 0} bytes and says '{held.Status}'; {image.LengthBytes} were sent");
        }

        if (held.HashAlgorithm is null || held.HashValue is null)
        {
            throw Rejected(
                "Glance reports no digest: it is older than Rocky (2018), and what it holds can't be compared");
        }

        if (held.HashAlgorithm != digest.Algorithm)
        {
            throw OtherAlgorithm(held.HashAlgorithm);
        }

        return string.Equals(held.HashValue, digest.Value, StringComparison.OrdinalIgnoreCase)
            ? new StoredImage(image.Id, Name, image.Id.ToString("D"), image.Format, image.LengthBytes, digest)
            : throw Rejected($"Glance holds {held.HashAlgorithm} {held.HashValue}, {digest.Value} was sent");
    }

    // Known from now on: sending it once more tells whether it is true.
    private SnapshotException OtherAlgorithm(string reported)
    {
        if (reported is not ("sha256" or "sha512"))
        {
            return Rejected(
                $"Glance reports a digest by {reported}, which can't be computed here: "
                + "set its hashing_algorithm to sha512 or sha256");
        }

        _reportedAlgorithm = reported;
        return new SnapshotException(
            SnapshotErrorCode.ImageRejected,
            $"Glance reports a {reported} digest, another was computed: set Stores:Glance:HashAlgorithm to {reported}")
        {
            IsTransient = true,
        };
    }

    private static SnapshotException Rejected(string message) => new(SnapshotErrorCode.ImageRejected, message);
}

/// <summary>One image on its way into a <see cref="GlanceStore"/>.</summary>
internal sealed class GlanceUpload(
    GlanceStore store, ImageDescription image, GlanceTransfer transfer, GlanceProgress? progress = null) : IImageUpload
{
    public IImageSink Sink => progress ?? (IImageSink)transfer;

    public IImageFile? File => null;

    public SpaceWatch? Space => null;

    public async Task<StoredImage> PublishAsync(Digest digest, CancellationToken cancellationToken)
    {
        await store.FinishAsync(image, transfer, cancellationToken).ConfigureAwait(false);
        return await store.VerifyAsync(image, digest, cancellationToken).ConfigureAwait(false);
    }

    public async ValueTask DisposeAsync()
    {
        if (progress is not null)
        {
            await progress.DisposeAsync().ConfigureAwait(false);
        }

        await transfer.DisposeAsync().ConfigureAwait(false);
    }
}
