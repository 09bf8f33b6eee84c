using System.Collections.Concurrent;
using System.Data;
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
