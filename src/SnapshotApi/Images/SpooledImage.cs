using Microsoft.Win32.SafeHandles;
using SnapshotApi.Host;
using SnapshotApi.Journal;
using SnapshotApi.Linux;

namespace SnapshotApi.Images;

/// <summary>
/// Where an image is made whose store wants it in order: a private file below the node's work directory, in the journal
/// before it is made. It shares that file system with scratch files of running backups, so it never takes the reserve.
/// </summary>
internal sealed class Spool(IOptions<NodeOptions> node, TimeProvider time)
{
    private const string Place = "the node's work directory";

    /// <summary>An image that is made in the spool, then sent from there.</summary>
    /// <param name="image">Disposed with what is returned.</param>
    /// <param name="jobId">The job.</param>
    /// <param name="target">The disk.</param>
    /// <param name="options">Stall limit and clock of the sending.</param>
    /// <param name="journal">Gets what deletes the file.</param>
    public SpooledImage Take(
        FileImage image, Guid jobId, string target, ImageStreamOptions options, JobJournal journal) =>
        new(this, image, PathOf(jobId, target, image.Format), options, journal);

    /// <summary>Writes the image's file.</summary>
    /// <returns>The entry that deletes it.</returns>
    /// <exception cref="SnapshotException">no_space, and what writing the image throws.</exception>
    internal async Task<JournalEntry> WriteAsync(
        FileImage image, string path, JobJournal journal, IProgress<long> progress, CancellationToken cancellationToken)
    {
        string directory = Path.GetDirectoryName(path)!;
        SpaceWatch space = SpaceWatch.OfWork(directory, node.Value);
        (JournalEntry entry, SafeFileHandle file) = StorageErrors.Guard(
            Place, $"the image can't be made in {Place}", SnapshotErrorCode.CopyDestinationFailed, Create);
        using var sink = new FileSink(file, path, 0, Place, SnapshotErrorCode.CopyDestinationFailed);
        await space.RunAsync("the image", WriteAsync, time, cancellationToken).ConfigureAwait(false);
        return entry;

        (JournalEntry Entry, SafeFileHandle File) Create()
        {
            if (!Directory.Exists(directory))
            {
                journal.Add(new DeleteFile(directory));
                Directory.CreateDirectory(directory, LinuxFile.PrivateDirectory);
            }

            space.Require("the image", image.LengthBytes);
            return (journal.Add(new EndProcess(path)), LinuxFile.CreateNew(path));
        }

        async Task<bool> WriteAsync(CancellationToken token)
        {
            await image.WriteAsync(sink, progress, token).ConfigureAwait(false);
            return true;
        }
    }

    private string PathOf(Guid jobId, string target, ImageFormat format) => Path.Combine(
        node.Value.WorkDirectory, "run", $"{jobId:N}-spool", $"{target}.{ImageFormatNames.NameOf(format)}");
}

/// <summary>
/// An image that is made in the spool and sent from there, as often as it takes. Once it is made, the disk is not read
/// any more. Disposing it deletes the file: the space is wanted for the next disk.
/// </summary>
internal sealed class SpooledImage(
    Spool spool, FileImage image, string path, ImageStreamOptions options, JobJournal journal)
    : OrderedImage
{
    private const int PieceBytes = 1024 * 1024;

    private JournalEntry? _entry;
    private long? _lengthBytes;

    public override ImageFormat Format => image.Format;

    public override long VirtualSizeBytes => image.VirtualSizeBytes;

    public override long LengthBytes => _lengthBytes ?? image.LengthBytes;

    public override long DataBytes => image.DataBytes;

    public override long WorkBytes => _lengthBytes ?? image.WorkBytes;

    public override string? SparseNote => image.SparseNote;

    public override bool NeedsPreparing => true;

    public override bool IsDetached => _lengthBytes is not null;

    public override async Task PrepareAsync(IProgress<long> progress, CancellationToken cancellationToken)
    {
        _entry = await spool.WriteAsync(image, path, journal, progress, cancellationToken).ConfigureAwait(false);
        _lengthBytes = new FileInfo(path).Length;
        await image.DisposeAsync().ConfigureAwait(false);
    }

    public override async Task CopyToAsync(
        IImageSink sink, IProgress<long> progress, CancellationToken cancellationToken)
    {
        using var watch = new StallWatch(options, () => 0, cancellationToken);
        var watched = new WatchedSink(sink, watch);
        byte[] piece = new byte[PieceBytes];
        try
        {
            using SafeFileHandle file = File.OpenHandle(
                path,
                FileMode.Open,
                FileAccess.Read,
                FileShare.ReadWrite | FileShare.Delete,
                FileOptions.SequentialScan);
            while (watched.LengthBytes < LengthBytes)
            {
                int length = (int)Math.Min(PieceBytes, LengthBytes - watched.LengthBytes);
                await ReadAsync(file, piece.AsMemory(0, length), watched.LengthBytes, watch.Token)
                    .ConfigureAwait(false);
                await watched.WriteAsync(piece.AsMemory(0, length), watch.Token).ConfigureAwait(false);
                progress.Report(watched.LengthBytes);
                watch.Token.ThrowIfCancellationRequested();
            }
        }
        catch (Exception e)
        {
            throw watch.Blame(e);
        }
    }

    public override async ValueTask DisposeAsync()
    {
        await image.DisposeAsync().ConfigureAwait(false);
        if (_entry is { IsSettled: false } entry)
        {
            try
            {
                File.Delete(path);
                journal.Settle(entry);
            }
            catch (Exception e) when (StorageErrors.IsOne(e))
            {
                // It stays in the journal, which tries again at the end of the run, and after it.
            }
        }
    }

    private static async ValueTask ReadAsync(
        SafeFileHandle file, Memory<byte> bytes, long offset, CancellationToken cancellationToken)
    {
        try
        {
            for (int done = 0; done < bytes.Length;)
            {
                int read = await RandomAccess.ReadAsync(file, bytes[done..], offset + done, cancellationToken)
                    .ConfigureAwait(false);
                done += read > 0 ? read : throw new EndOfStreamException("the spooled image became shorter");
            }
        }
        catch (IOException e)
        {
            throw new ImageCopyException(CopySide.Source, "reading the spooled image failed", e);
        }
    }
}
