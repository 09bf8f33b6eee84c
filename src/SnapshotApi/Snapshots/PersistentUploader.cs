using SnapshotApi.Errors;
using SnapshotApi.Journal;
using SnapshotApi.Stores;

namespace SnapshotApi.Snapshots;

/// <summary>
/// Uploads again what a store has lost for a reason that may pass: a connection was cut, a server was restarted. The capture is still open,
/// so the second image is of the same instant; a stream can be copied only once, so the disk is measured anew.
/// </summary>
internal sealed class PersistentUploader(ImageUploader uploader, TimeProvider time)
{
    /// <summary>
    /// What is waited before each further try. A cut connection is back at once; a server that restarts needs some seconds. Longer than
    /// these the guest should not bear an open capture, whose scratch space grows with all that it writes.
    /// </summary>
    private static readonly TimeSpan[] Delays = [TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(15)];

    /// <summary>Makes one published image. Until the job has succeeded the journal takes it away again.</summary>
    /// <param name="image">The first measurement; stays the caller's, but its connections are closed when it failed.</param>
    /// <param name="journal">The run's journal.</param>
    /// <param name="observer">Warned of each try that failed, with its cause.</param>
    /// <param name="progress">Begins anew with each try.</param>
    /// <param name="cancellationToken">Gives it up; cancelled also when the capture is lost.</param>
    /// <exception cref="SnapshotException">What the last try failed with.</exception>
    public async Task<StoredImage> UploadAsync(
        MeasuredImage image, JobJournal journal, ISnapshotObserver observer, SnapshotProgress progress, CancellationToken cancellationToken)
    {
        MeasuredImage current = image;
        for (int failures = 0; ; failures++)
        {
            long known = journal.Pending.Count == 0 ? -1 : journal.Pending[^1].Sequence;
            try
            {
                return await uploader.UploadAsync(current, journal, observer, progress, cancellationToken).ConfigureAwait(false);
            }
            catch (SnapshotException e) when (e.IsTransient && failures < Delays.Length && !cancellationToken.IsCancellationRequested)
            {
                TimeSpan delay = Delays[failures];
                observer.Warn($"disk {image.Target}, upload {failures + 1}: {e.Message}; the same instant is sent again in {delay.TotalSeconds:0} s");
            }
            finally
            {
                await current.DisposeAsync().ConfigureAwait(false);
            }

            await DiscardAsync(journal, known, cancellationToken).ConfigureAwait(false);
            await Task.Delay(Delays[failures], time, cancellationToken).ConfigureAwait(false);
            current = await uploader.MeasureAsync(image.Request, observer, progress, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Takes away what the failed try has made. While the store is away it can't be: then it stays to be undone, whatever becomes of the job.</summary>
    private static async Task DiscardAsync(JobJournal journal, long known, CancellationToken cancellationToken)
    {
        foreach (JournalEntry entry in journal.Pending.Where(e => e.Sequence > known && e.Action is DeleteImage))
        {
            journal.Forsake(entry);
            try
            {
                await journal.UndoAsync(entry, cancellationToken).ConfigureAwait(false);
            }
            catch (SnapshotException)
            {
                // Tried again at the end of the run, and after it.
            }
        }
    }
}
