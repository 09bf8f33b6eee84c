using System.Data;
using Hangfire.PostgreSql;
using Hangfire.Storage;
using SnapshotApi.Persistence;

namespace SnapshotApi.Jobs;

/// <summary>
/// A queue that waits for a database that is away. Hangfire's workers would back off by themselves, by the square of their tries
/// and up to five minutes: far too long once it is back.
/// </summary>
internal sealed class PatientQueueProvider(IPersistentJobQueueProvider inner) : IPersistentJobQueueProvider
{
    private static readonly TimeSpan AwayDelay = TimeSpan.FromSeconds(1);

    public IPersistentJobQueue GetJobQueue() => new Queue(inner.GetJobQueue());

    public IPersistentJobQueueMonitoringApi GetJobQueueMonitoringApi() => inner.GetJobQueueMonitoringApi();

    private sealed class Queue(IPersistentJobQueue inner) : IPersistentJobQueue
    {
        // Called on a worker's own thread, which has nothing else to do than to wait.
        public IFetchedJob Dequeue(string[] queues, CancellationToken cancellationToken)
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

        public void Enqueue(IDbConnection connection, string queue, string jobId) => inner.Enqueue(connection, queue, jobId);
    }
}
