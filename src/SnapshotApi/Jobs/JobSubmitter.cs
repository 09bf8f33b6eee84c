using System.Security.Cryptography;
using System.Text;
using System.Transactions;
using Npgsql;
using SnapshotApi.Persistence;
using SnapshotApi.Snapshots;
using SnapshotApi.Stores;

namespace SnapshotApi.Jobs;

/// <summary>
/// Accepts snapshot jobs.
/// <list type="number">
/// <item>An Idempotency-Key that was used before answers with its job.</item>
/// <item>The nodes are asked to read the server again; then it is found.</item>
/// <item>A server with an active job of ours is busy.</item>
/// <item>The plan is made as a test: what can't be done is refused now, and does not become a failed job.</item>
/// <item>The caller makes what must be there before the job.</item>
/// <item>Key, job and delivery are written in one transaction: all three, or none.</item>
/// </list>
/// </summary>
internal sealed class JobSubmitter(
    JobTable jobs,
    IdempotencyTable keys,
    InventoryRefresh refresh,
    ServerLocator locator,
    JobEnqueuer enqueuer,
    IOptions<JobsOptions> options,
    IEnumerable<IImageStore> stores,
    IOptions<StoresOptions> storesOptions,
    TimeProvider time)
{
    private const string ActiveServerIndex = "ux_jobs_active_server";

    // A node under load may need seconds to look. It gets them before a job that has just ended counts as "busy".
    private static readonly TimeSpan PatientRefreshTimeout = TimeSpan.FromSeconds(5);

    /// <summary>Accepts a job; returns it as it was inserted, or the key's job as it is now.</summary>
    /// <param name="server">UUID or unique name.</param>
    /// <param name="prepare">
    /// Makes what must be there before the job, whose id it gets; null: nothing. Called when the job can be accepted.
    /// Another job may still come first: then the caller removes what was made.
    /// </param>
    /// <exception cref="SnapshotException">
    /// server_not_found; server_ambiguous (<c>serverIds</c>); server_busy (<c>job</c>, when it is one of ours);
    /// state_conflict; unsupported_disk; unsupported_request; hypervisor_unavailable; idempotency_mismatch;
    /// database_unavailable.
    /// </exception>
    public async Task<JobRecord> SubmitAsync(
        string server,
        SnapshotRequest request,
        IdempotencyKey? key,
        Func<Guid, LocatedServer, SnapshotPlan, CancellationToken, Task>? prepare,
        CancellationToken cancellationToken)
    {
        byte[]? hash = key is null ? null : HashOf(server, key);

        // Step 1: the key.
        if (await FindAnsweredAsync(key, hash, cancellationToken).ConfigureAwait(false) is { } answered)
        {
            return answered;
        }

        try
        {
            // Steps 2 to 4: the server, and whether it can be done. An old description is no reason to refuse.
            bool isFresh = await refresh.RefreshAsync(server, null, cancellationToken).ConfigureAwait(false);
            (LocatedServer Located, SnapshotPlan Plan) judged;
            try
            {
                judged = await JudgeAsync(server, request, cancellationToken).ConfigureAwait(false);
            }
            catch (SnapshotException e) when (!isFresh
                && e is { Code: SnapshotErrorCode.ServerBusy or SnapshotErrorCode.StateConflict, Details.Count: 0 })
            {
                await refresh.RefreshAsync(server, PatientRefreshTimeout, cancellationToken).ConfigureAwait(false);
                judged = await JudgeAsync(server, request, cancellationToken).ConfigureAwait(false);
            }

            // Step 5: what must be there before.
            Guid id = Guid.CreateVersion7(time.GetUtcNow());
            if (prepare is not null)
            {
                await prepare(id, judged.Located, judged.Plan, cancellationToken).ConfigureAwait(false);
            }

            // Step 6: all or nothing.
            return await InsertAsync(id, judged.Located, request, key, hash, cancellationToken).ConfigureAwait(false)
                ?? throw new SnapshotException(
                    SnapshotErrorCode.ServerBusy, "another request with the same key is at work");
        }
        catch (SnapshotException e) when (key is not null && e.Code != SnapshotErrorCode.DatabaseUnavailable)
        {
            // The same request may have been accepted meanwhile: then its own job stands in the way.
            JobRecord? accepted = await FindAnsweredAsync(key, hash, cancellationToken).ConfigureAwait(false);
            if (accepted is null)
            {
                throw;
            }

            return accepted;
        }
    }

    private async Task<(LocatedServer Located, SnapshotPlan Plan)> JudgeAsync(
        string server, SnapshotRequest request, CancellationToken cancellationToken)
    {
        // Step 2: the server.
        LocatedServer located = await locator.LocateAsync(server, cancellationToken).ConfigureAwait(false);
        Guid serverId = located.Server.Description.Id;

        // Step 3: a job of ours. Before the plan, which would take it for somebody else's block job.
        if (await jobs.FindActiveAsync(serverId, cancellationToken).ConfigureAwait(false) is { } active)
        {
            throw Busy(active);
        }

        // Step 4: the plan.
        if (located.Node.Capabilities is not { } capabilities)
        {
            throw new SnapshotException(
                SnapshotErrorCode.HypervisorUnavailable, $"libvirt on node {located.Node.Name} has not answered yet");
        }

        string defaultStore = storesOptions.Value.Default;
        StoreChoice.Find(stores, request, defaultStore);
        return (located, SnapshotPlanner.Plan(
            located.Server.Description, capabilities, located.Node.Check, request, defaultStore));
    }

    private static byte[] HashOf(string server, IdempotencyKey key)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes(server));
        hash.AppendData([0]);
        hash.AppendData(key.BodyHash);
        return hash.GetHashAndReset();
    }

    private static SnapshotException Busy(JobRecord? active) =>
        new(SnapshotErrorCode.ServerBusy, "a snapshot job is at work on the server")
        {
            Details = active is null ? [] : new Dictionary<string, object?> { ["job"] = active.Id },
        };

    private async Task<JobRecord?> FindAnsweredAsync(
        IdempotencyKey? key, byte[]? hash, CancellationToken cancellationToken)
    {
        TimeSpan retention = options.Value.IdempotencyRetention;
        if (key is null
            || await keys.FindAsync(key.Key, retention, cancellationToken).ConfigureAwait(false) is not { } record)
        {
            return null;
        }

        return record.BodyHash.AsSpan().SequenceEqual(hash)
            ? await jobs.FindAsync(record.JobId, cancellationToken).ConfigureAwait(false)
            : throw new SnapshotException(
                SnapshotErrorCode.IdempotencyMismatch, "the Idempotency-Key was used before with another request");
    }

    /// <returns>Null when the key was taken meanwhile.</returns>
    private async Task<JobRecord?> InsertAsync(
        Guid id,
        LocatedServer located,
        SnapshotRequest request,
        IdempotencyKey? key,
        byte[]? hash,
        CancellationToken cancellationToken)
    {
        Guid serverId = located.Server.Description.Id;
        try
        {
            using TransactionScope transaction = JobEnqueuer.BeginTransaction();
            TimeSpan retention = options.Value.IdempotencyRetention;
            if (key is not null
                && !await keys.TakeAsync(key.Key, new IdempotencyRecord(hash!, id), retention, cancellationToken)
                    .ConfigureAwait(false))
            {
                return null;
            }

            (string name, string node) = (located.Server.Description.Name, located.Node.Name);
            JobRecord job = await jobs.InsertAsync(id, serverId, name, node, request, cancellationToken)
                .ConfigureAwait(false);
            await enqueuer.EnqueueAsync(id, node, cancellationToken).ConfigureAwait(false);
            transaction.Complete();
            return job;
        }
        catch (PostgresException e) when (e.ConstraintName == ActiveServerIndex)
        {
            throw Busy(await jobs.FindActiveAsync(serverId, cancellationToken).ConfigureAwait(false));
        }
        catch (TransactionException e)
        {
            throw DatabaseFault.Translate(e);
        }
    }
}

/// <summary>An Idempotency-Key as it came with a request.</summary>
/// <param name="Key">The key; the caller makes it unique per user.</param>
internal sealed record IdempotencyKey(string Key, byte[] BodyHash);
