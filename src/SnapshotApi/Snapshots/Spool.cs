using Microsoft.Extensions.Options;
using SnapshotApi.Captures;
using SnapshotApi.Configuration;
using SnapshotApi.Errors;
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
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    // Long enough to cost nothing, short enough that the fastest disk writes no more than the default reserve in between.
    private static readonly TimeSpan LookInterval = TimeSpan.FromMilliseconds(200);

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
        string directory = MakeDirectory(jobId, journal);
        FreeSpace.Require(directory, image.LengthBytes + node.Value.ReservedBytes, "the image");
        string path = Path.Combine(directory, $"{target}.{ImageFormatNames.NameOf(image.Format)}");
        JournalEntry entry = journal.Add(new EndProcess(path));
        using (var file = new FileSink(LinuxFile.CreateNew(path), path, 0))
        {
            await WriteAsync(image, file, directory, progress, cancellationToken).ConfigureAwait(false);
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

    private async Task WriteAsync(
        IFileImage image, FileSink file, string directory, IProgress<long> progress, CancellationToken cancellationToken)
    {
        bool isFull = false;
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        ITimer timer = time.CreateTimer(_ => Look(), null, LookInterval, LookInterval);
        await using var stopTimer = timer.ConfigureAwait(false);
        try
        {
            await image.WriteAsync(file, progress, either.Token).ConfigureAwait(false);
        }
        catch (Exception e) when ((isFull || IsShort()) && !cancellationToken.IsCancellationRequested)
        {
            // Whatever it looked like from within: a tool that fails to write, a cancellation.
            throw new SnapshotException(SnapshotErrorCode.NoSpace, "the node's work directory has no space left for the image", e);
        }

        bool IsShort() => FreeSpace.Of(directory) < node.Value.ReservedBytes;

        void Look()
        {
            if (!isFull && IsShort())
            {
                isFull = true;
                either.Cancel();
            }
        }
    }
}
