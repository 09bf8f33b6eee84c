using SnapshotApi.Host;
using SnapshotApi.Images;
using SnapshotApi.Journal;

namespace SnapshotApi.Snapshots;

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
