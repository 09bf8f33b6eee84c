using System.Collections.Concurrent;
using System.Data;
using System.Security.Cryptography;
using System.Text;
using Hangfire.PostgreSql;
using Hangfire.Storage;
using SnapshotApi.Persistence;

namespace SnapshotApi.Jobs;

/// <summary>
/// A queue whose workers are woken when a job was enqueued, and which waits for a database that is away. Hangfire's workers would back
/// off by themselves, by the square of their tries and up to five minutes: far too long once it is back.
/// </summary>
internal sealed class WakefulQueueProvider(IPersistentJobQueueProvider inner) : IPersistentJobQueueProvider
{
    private static readonly TimeSpan AwayDelay = TimeSpan.FromSeconds(1);

    private readonly ConcurrentDictionary<PostgreSqlJobQueue, bool> _waiting = new();

    // Hangfire asks for one each time that a worker looks for a job.
    public IPersistentJobQueue GetJobQueue() => new Queue(this, (PostgreSqlJobQueue)inner.GetJobQueue());

    public IPersistentJobQueueMonitoringApi GetJobQueueMonitoringApi() => inner.GetJobQueueMonitoringApi();

    /// <summary>Makes every worker that waits look for a job. Returns at once, never throws.</summary>
    public void Wake()
    {
        foreach (PostgreSqlJobQueue queue in _waiting.Keys)
        {
            queue.FetchNextJob();
        }
    }

    private sealed class Queue(WakefulQueueProvider owner, PostgreSqlJobQueue inner) : IPersistentJobQueue
    {
        // Called on a worker's own thread, which has nothing else to do than to wait.
        public IFetchedJob Dequeue(string[] queues, CancellationToken cancellationToken)
        {
            // Known before it looks for the first time: what is enqueued after that look wakes it.
            owner._waiting.TryAdd(inner, true);
            try
            {
                while (true)
                {
                    try
                    {
                        return inner.Dequeue(queues, cancellationToken);
                    }
                    catch (Exception e) when (DatabaseFault.IsAwayInside(e))
                    {
                        cancellationToken.WaitHandle.WaitOne(AwayDelay);
                        cancellationToken.ThrowIfCancellationRequested();
                    }
                }
            }
            finally
            {
                owner._waiting.TryRemove(inner, out _);
            }
        }

        public void Enqueue(IDbConnection connection, string queue, string jobId) => inner.Enqueue(connection, queue, jobId);
    }
}

/// <summary>Wakes one waiting loop. Setting it while the loop works makes its next wait end at once; setting it twice wakes once.</summary>
internal sealed class WakeSignal(TimeProvider time)
{
    private TaskCompletionSource _set = NewSource();

    /// <summary>Wakes the loop. Never throws, never blocks, runs nothing of the loop.</summary>
    public void Set() => Volatile.Read(ref _set).TrySetResult();

    /// <summary>Waits until it is set, or for that time; it is unset afterwards.</summary>
    /// <returns>True when it was set.</returns>
    public async Task<bool> WaitAsync(TimeSpan atMost, CancellationToken cancellationToken)
    {
        Task set = Volatile.Read(ref _set).Task;
        using (var over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken))
        {
            await Task.WhenAny(set, Task.Delay(atMost, time, over.Token)).ConfigureAwait(false);
            await over.CancelAsync().ConfigureAwait(false);
        }

        cancellationToken.ThrowIfCancellationRequested();
        if (!set.IsCompleted)
        {
            return false;
        }

        // Whatever was set before this line is seen by the work that the caller does after it.
        Interlocked.Exchange(ref _set, NewSource());
        return true;
    }

    private static TaskCompletionSource NewSource() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}

/// <summary>Name of a node's queue in Hangfire.</summary>
internal static class NodeQueue
{
    private const string Prefix = "node_";

    // Bytes of the hash: enough that two names of one installation never meet.
    private const int HashBytes = 4;

    /// <summary>
    /// The queue of a node: <c>node_</c> and its name. Hangfire allows a-z, 0-9, '-' and '_'; a name with anything else has it replaced
    /// by '_' and gets a hash, so that different nodes never share a queue.
    /// </summary>
    public static string Of(string node)
    {
        string legal = string.Concat(node.Select(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c is '-' or '_' ? c : '_'));
        if (legal == node)
        {
            return Prefix + node;
        }

        byte[] hash = SHA256.HashData(Encoding.UTF8.GetBytes(node));
        return $"{Prefix}{legal}_{Convert.ToHexStringLower(hash.AsSpan(0, HashBytes))}";
    }
}
