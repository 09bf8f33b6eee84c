using SnapshotApi.Host;
using SnapshotApi.Images;
using SnapshotApi.Journal;
using SnapshotApi.Linux;

namespace SnapshotApi.Stores;

/// <summary>
/// Images as files of a directory: <c>ID.qcow2</c> beside <c>ID.json</c>, which tells what it is. A file is written
/// under a partial name in a private directory, made durable, checked, and then renamed: what has its final name is
/// whole. On the file system of the work directory, where scratch files of running backups lie, an image never takes
/// their reserve.
/// </summary>
internal sealed class DirectoryStore(IOptions<StoresOptions> options, IOptions<NodeOptions> node) : IImageStore
{
    private const string Place = "the directory store";
    private const string PartialDirectory = ".partial";
    private static readonly JsonSerializerOptions SidecarJson =
        new(JsonSerializerDefaults.Web) { WriteIndented = true };

    public string Name => StoreNames.Directory;

    public string DigestAlgorithm => "sha256";

    public bool IsConfigured => true;

    public bool TakesFiles => true;

    private string Root => options.Value.Directory.Path;

    /// <summary>Makes the directory when it is not there, and says whether it can be written to.</summary>
    /// <exception cref="IOException">It can't be made.</exception>
    /// <exception cref="UnauthorizedAccessException">It can't be made.</exception>
    public void Prepare()
    {
        Directory.CreateDirectory(Root, LinuxFile.PrivateDirectory);
        Directory.CreateDirectory(Path.Combine(Root, PartialDirectory), LinuxFile.PrivateDirectory);
    }

    /// <summary>Why no image can be written now, with the cure; null: one can.</summary>
    public string? FindProblem() => StorageProbe.FindProblem(Place, "Stores__Directory__Path", () =>
    {
        Prepare();
        StorageProbe.Write(Path.Combine(Root, PartialDirectory));
    })?.Message;

    /// <summary>Opens a published image for reading; null: there is none. The caller disposes it.</summary>
    /// <param name="image">The image, as recorded.</param>
    public FileStream? OpenRead(StoredImage image)
    {
        string path = Path.Combine(Root, FileName(image.Id, image.Format));
        return File.Exists(path)
            ? new FileStream(
                path,
                FileMode.Open,
                FileAccess.Read,
                FileShare.Read | FileShare.Delete,
                bufferSize: 1 << 20,
                FileOptions.Asynchronous)
            : null;
    }

    public IReadOnlyList<string> Problems(string name, IReadOnlyDictionary<string, string> properties) => [];

    public Task PrepareAsync(CancellationToken cancellationToken)
    {
        try
        {
            Prepare();
            if (SharedSpace() is { IsLow: true } shared)
            {
                shared.Require("an image", 0);
            }

            return Task.CompletedTask;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Failed("the directory store can't be written to", e);
        }
    }

    public Task<BaseImage?> FindBaseAsync(Guid imageId, CancellationToken cancellationToken) =>
        Task.FromResult<BaseImage?>(null);

    public Task<IImageUpload> BeginAsync(
        ImageDescription image, JobJournal journal, CancellationToken cancellationToken)
    {
        try
        {
            Prepare();
            SpaceWatch? shared = SharedSpace();
            RequireSpace(image, shared);
            journal.Keep(journal.Add(new DeleteImage(Name, image.Id)));
            string partial = Path.Combine(Root, PartialDirectory, FileName(image.Id, image.Format));
            var sink = new FileSink(LinuxFile.CreateNew(partial), partial, image.LengthBytes);
            return Task.FromResult<IImageUpload>(new DirectoryUpload(this, image, partial, sink, shared));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Failed("the image can't be made in the directory store", e);
        }
    }

    public Task<bool> DeleteAsync(Guid imageId, CancellationToken cancellationToken)
    {
        bool existed = false;
        try
        {
            foreach (ImageFormat format in Enum.GetValues<ImageFormat>())
            {
                existed |= DeleteIfThere(Path.Combine(Root, FileName(imageId, format)));
                existed |= DeleteIfThere(Path.Combine(Root, PartialDirectory, FileName(imageId, format)));
            }

            existed |= DeleteIfThere(SidecarPath(imageId));
            if (existed)
            {
                LinuxFile.SyncDirectory(Root);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Failed("the image can't be deleted from the directory store", e);
        }

        return Task.FromResult(existed);
    }

    /// <summary>Gives a whole, durable partial file its final name.</summary>
    internal async Task<StoredImage> PublishAsync(
        ImageDescription image,
        string partialPath,
        long writtenBytes,
        Digest digest,
        CancellationToken cancellationToken)
    {
        try
        {
            long held = new FileInfo(partialPath).Length;
            if (held != image.LengthBytes || writtenBytes != image.LengthBytes)
            {
                throw new SnapshotException(
                    SnapshotErrorCode.ImageRejected,
                    $"the store holds {held} bytes, {image.LengthBytes} were to be written");
            }

            await VerifyAsync(image, partialPath, cancellationToken).ConfigureAwait(false);
            string name = FileName(image.Id, image.Format);
            var stored = new StoredImage(image.Id, Name, name, image.Format, held, digest);
            await WriteSidecarAsync(image, stored, cancellationToken).ConfigureAwait(false);
            File.Move(partialPath, Path.Combine(Root, name), overwrite: false);
            LinuxFile.SyncDirectory(Root);
            return stored;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Failed("the image can't be published in the directory store", e);
        }
    }

    private static SnapshotException Failed(string message, Exception e) =>
        StorageErrors.Translate(e, Place, message, SnapshotErrorCode.StoreFailed);

    private static bool DeleteIfThere(string path)
    {
        bool existed = File.Exists(path);
        File.Delete(path);
        return existed;
    }

    private static string FileName(Guid id, ImageFormat format) => $"{id:D}.{ImageFormatNames.NameOf(format)}";

    private string SidecarPath(Guid id) => Path.Combine(Root, $"{id:D}.json");

    // A raw image is sparse in the store; how sparse is known only once it is read. Its length is the upper bound.
    private void RequireSpace(ImageDescription image, SpaceWatch? shared) =>
        (shared ?? new SpaceWatch(Root, 0, Place)).Require(
            "the image", image.Format == ImageFormat.Raw ? 0 : image.LengthBytes);

    // Null: the store has a file system of its own, or this process is no node.
    private SpaceWatch? SharedSpace()
    {
        string work = node.Value.WorkDirectory;
        return Directory.Exists(work) && FileSystem.NumberOf(Root) is { } store && FileSystem.NumberOf(work) == store
            ? new SpaceWatch(Root, node.Value.ReservedBytes, Place)
            : null;
    }

    // What qemu would be told to open later: standalone, and of the format and size that it claims.
    private static async Task VerifyAsync(ImageDescription image, string path, CancellationToken cancellationToken)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read);
        await ImageInspector.VerifyAsync(file, image.Format, image.VirtualSizeBytes, cancellationToken)
            .ConfigureAwait(false);
    }

    private async Task WriteSidecarAsync(
        ImageDescription image, StoredImage stored, CancellationToken cancellationToken)
    {
        var sidecar = new
        {
            stored.Id,
            image.Name,
            stored.Format,
            stored.SizeBytes,
            image.VirtualSizeBytes,
            stored.Digest,
            image.Properties,
        };
        using var file = new FileStream(LinuxFile.CreateNew(SidecarPath(image.Id)), FileAccess.Write);
        await JsonSerializer.SerializeAsync(file, sidecar, SidecarJson, cancellationToken).ConfigureAwait(false);
        file.Flush(flushToDisk: true);
    }
}

/// <summary>One image on its way into a <see cref="DirectoryStore"/>.</summary>
internal sealed class DirectoryUpload(
    DirectoryStore store, ImageDescription image, string partialPath, FileSink sink, SpaceWatch? space) : IImageUpload
{
    public IImageSink Sink => sink;

    public IImageFile File => sink;

    public SpaceWatch? Space => space;

    public async Task<StoredImage> PublishAsync(Digest digest, CancellationToken cancellationToken)
    {
        await sink.CompleteAsync(cancellationToken).ConfigureAwait(false);
        return await store.PublishAsync(
            image with { LengthBytes = sink.LengthBytes },
            partialPath,
            sink.WrittenBytes,
            digest,
            cancellationToken).ConfigureAwait(false);
    }

    public ValueTask DisposeAsync()
    {
        sink.Dispose();
        return ValueTask.CompletedTask;
    }
}
