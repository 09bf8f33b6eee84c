using System.Collections.Concurrent;

namespace SnapshotApi.Hypervisor;

/// <summary>
/// Looks at files of servers, one at a time for each server: a file system that does not answer holds one thread, and keeps nobody waiting. Thread-safe.
/// </summary>
/// <typeparam name="T">What is found.</typeparam>
internal sealed class FileLooks<T>
{
    // Stat of a local file takes microseconds; a network file system whose server is gone takes for ever.
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(2);

    private readonly ConcurrentDictionary<Guid, Task<T>> _looking = new();

    /// <summary>Looks, on a thread of its own, or waits for the look that is under way.</summary>
    /// <param name="serverId">Whose files.</param>
    /// <param name="look">Blocks as long as their file systems please.</param>
    /// <param name="instead">What is found when they do not answer in time.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    public async Task<T> RunAsync(Guid serverId, Func<T> look, T instead, CancellationToken cancellationToken)
    {
        Task<T> looking = _looking.AddOrUpdate(serverId, _ => BeginAsync(look), (_, last) => last.IsCompleted ? BeginAsync(look) : last);
        try
        {
            return await looking.WaitAsync(Limit, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            return instead;
        }
    }

    private static Task<T> BeginAsync(Func<T> look) =>
        Task.Factory.StartNew(look, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
}
