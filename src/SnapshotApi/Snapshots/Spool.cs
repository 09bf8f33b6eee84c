using Microsoft.Extensions.Options;
using SnapshotApi.Configuration;
using SnapshotApi.Errors;
using SnapshotApi.Host;
using SnapshotApi.Images;
using SnapshotApi.Journal;
using SnapshotApi.Linux;
using SnapshotApi.Stores;

namespace SnapshotApi.Snapshots;

/// <summary>
/// Where an image is made whose store wants it in order, and its length first: a private file below the node's work directory, in the
/// journal before it is made. It shares that file system with scratch files of running backups, so it never takes the reserve.
/// </summary>
internal sealed class Spool(IOptions<NodeOptions> node, TimeProvider time)
{
    private const string Place = "the node's work directory";
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    /// <summary>Makes the image.</summary>
    /// <param name="image">Stays the caller's.</param>
    /// <param name="jobId">The job.</param>
    /// <param name="target">The disk.</param>
    /// <param name="options">How the finished file is read.</param>
    /// <param name="journal">Gets what deletes it.</param>
    /// <param name="progress">Told the disk bytes done.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="SnapshotException">no_space, and what writing the image throws.</exception>
    public async Task<SpooledImage> WriteAsync(
        IFileImage image, Guid jobId, string target, ImageStreamOptions options, JobJournal journal, IProgress<long> progress, CancellationToken cancellationToken)
    {
        string directory = Guard(() => MakeDirectory(jobId, journal));
        var space = SpaceWatch.OfWork(directory, node.Value);
        Guard(() =>
        {
            space.Require("the image", image.LengthBytes);
            return true;
        });
        string path = Path.Combine(directory, $"{target}.{ImageFormatNames.NameOf(image.Format)}");
        JournalEntry entry = journal.Add(new EndProcess(path));
        using (var file = new FileSink(Guard(() => LinuxFile.CreateNew(path)), path, 0, Place, SnapshotErrorCode.CopyDestinationFailed))
        {
            await space.RunAsync(
                "the image",
                async token =>
                {
                    await image.WriteAsync(file, progress, token).ConfigureAwait(false);
                    return true;
                },
                time,
                cancellationToken).ConfigureAwait(false);
        }

        return new SpooledImage(new SpooledStream(image, path, options), path, entry, journal);
    }

    private string MakeDirectory(Guid jobId, JobJournal journal)
    {
        string path = Path.Combine(node.Value.WorkDirectory, "run", $"{jobId:N}-spool");
        if (!Directory.Exists(path))
        {
            journal.Add(new DeleteFile(path));
            Directory.CreateDirectory(path, Private);
        }

        return path;
    }

    private static T Guard<T>(Func<T> action) =>
        StorageErrors.Guard(Place, $"the image can't be made in {Place}", SnapshotErrorCode.CopyDestinationFailed, action);
}

/// <summary>A whole image in the spool. Disposing deletes it: the space is wanted for the next disk.</summary>
/// <param name="stream">What is sent.</param>
/// <param name="path">The file.</param>
/// <param name="entry">What would delete it.</param>
/// <param name="journal">Where that is.</param>
internal sealed class SpooledImage(IImageStream stream, string path, JournalEntry entry, JobJournal journal) : IAsyncDisposable
{
    public IImageStream Stream => stream;

    public ValueTask DisposeAsync()
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

        return ValueTask.CompletedTask;
    }
}
