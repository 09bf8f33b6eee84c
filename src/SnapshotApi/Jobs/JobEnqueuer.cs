using System.Transactions;
using Hangfire;
using Hangfire.PostgreSql;
using Hangfire.States;
using Hangfire.Storage;
using SnapshotApi.Persistence;

namespace SnapshotApi.Jobs;

/// <summary>
/// Puts jobs on their node's queue. Inside a <c>TransactionScope</c> the enqueue belongs to it: Hangfire takes its connection from the
/// same data source as our statements, and Npgsql hands every connection that is opened one after the other in a scope the same
/// physical one, so that one local transaction spans both.
/// </summary>
internal sealed class JobEnqueuer(PostgreSqlStorage storage, IGlobalConfiguration hangfire, JobTable jobs)
{
    // No retries of Hangfire's: in a transaction that failed, all that follows fails too.
    private readonly BackgroundJobClient _client = CreateClient(storage, hangfire);

    /// <summary>Begins a transaction that our statements and the enqueue share; it is committed by <c>Complete</c> and dispose.</summary>
    public static TransactionScope BeginTransaction() => new(
        TransactionScopeOption.RequiresNew,
        new TransactionOptions { IsolationLevel = IsolationLevel.ReadCommitted },
        TransactionScopeAsyncFlowOption.Enabled);

    /// <summary>Enqueues a job. Delivered at least once; the claim makes that one run.</summary>
    /// <exception cref="SnapshotApi.Errors.SnapshotException">database_unavailable.</exception>
    public async Task EnqueueAsync(Guid jobId, string node, CancellationToken cancellationToken)
    {
        try
        {
            string delivery = _client.Create<SnapshotJobRunner>(
                runner => runner.RunAsync(jobId, CancellationToken.None), new EnqueuedState(NodeQueue.Of(node)));
            await jobs.NoteDeliveryAsync(jobId, delivery, cancellationToken).ConfigureAwait(false);
        }
        catch (BackgroundJobClientException e) when (DatabaseFault.IsAwayInside(e))
        {
            throw DatabaseFault.Translate(e);
        }
    }

    /// <summary>Hangfire still has a delivery to make, or is making it.</summary>
    public bool IsPending(string delivery)
    {
        try
        {
            using IStorageConnection connection = storage.GetConnection();
            string? state = connection.GetStateData(delivery)?.Name;
            return state == EnqueuedState.StateName || state == ProcessingState.StateName;
        }
        catch (Exception e) when (DatabaseFault.IsAway(e))
        {
            throw DatabaseFault.Translate(e);
        }
    }

    private static BackgroundJobClient CreateClient(PostgreSqlStorage storage, IGlobalConfiguration hangfire)
    {
        // What configures Hangfire - its serializer, its log - is the making of this object; it is of no other use.
        ArgumentNullException.ThrowIfNull(hangfire);
        return new BackgroundJobClient(storage) { RetryAttempts = 0 };
    }
}
