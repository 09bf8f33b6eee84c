using System.Transactions;
using Hangfire;
using Hangfire.PostgreSql;
using Hangfire.States;
using SnapshotApi.Persistence;

namespace SnapshotApi.Jobs;

/// <summary>
/// Puts jobs on their node's queue. Inside a <c>TransactionScope</c> the enqueue belongs to it: Hangfire takes its connection from the
/// same data source as our statements, and Npgsql hands every connection that is opened one after the other in a scope the same
/// physical one, so that one local transaction spans both.
/// </summary>
internal sealed class JobEnqueuer(PostgreSqlStorage storage, JobTable jobs)
{
    // No retries of Hangfire's: in a transaction that failed, all that follows fails too.
    private readonly BackgroundJobClient _client = new(storage) { RetryAttempts = 0 };

    /// <summary>Begins a transaction that our statements and the enqueue share; it is committed by <c>Complete</c> and dispose.</summary>
    public static TransactionScope BeginTransaction() => new(
        TransactionScopeOption.RequiresNew,
        new TransactionOptions { IsolationLevel = IsolationLevel.ReadCommitted },
        TransactionScopeAsyncFlowOption.Enabled);

    /// <summary>Enqueues a job. Delivered at least once; the claim makes that one run.</summary>
    public async Task EnqueueAsync(Guid jobId, string node, CancellationToken cancellationToken)
    {
        string delivery = _client.Create<SnapshotJobRunner>(
            runner => runner.RunAsync(jobId, CancellationToken.None), new EnqueuedState(NodeQueue.Of(node)));
        await jobs.NoteDeliveryAsync(jobId, delivery, cancellationToken).ConfigureAwait(false);
    }
}
