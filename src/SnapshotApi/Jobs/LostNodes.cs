using System.Transactions;
using SnapshotApi.Persistence;
using SnapshotApi.Snapshots;

namespace SnapshotApi.Jobs;

/// <summary>
/// Ends the jobs of nodes that are lost, so that their servers are free, and gives those that wait to the node that has
/// their server now. Every process that serves the API does it: the rows are guarded, and whoever comes second changes
/// nothing.
/// </summary>
/// <remarks>
/// <list type="bullet">
/// <item>A node is silent when it has missed twice as many heartbeats as one that is dead.</item>
/// <item>A server that another node runs: a queued job goes there, a running one ends as <c>node_lost</c>.</item>
/// <item>Nobody has the server: the job waits for its node, for <see cref="JobsOptions.NodeLostAfter"/>.</item>
/// <item>A node that was deleted: its jobs end.</item>
/// </list>
/// The job's fence grows: a node that comes back is refused, undoes what it left, and deletes what nobody got.
/// </remarks>
internal sealed partial class LostNodes(
    JobTable jobs, JobEnqueuer enqueuer, DatabaseStartup database, IOptions<JobsOptions> options, TimeProvider time,
    ILogger<LostNodes> logger) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(10);

    // The heartbeat of each node that is silent by the database's clock, and since when by our own. A database that was
    // away, or whose clock was set, makes all nodes silent: they get the time to say that they live.
    private readonly Dictionary<string, (DateTimeOffset SeenAt, long Since)> _silent = [];

    /// <summary>The age of the last heartbeat at which a node is silent.</summary>
    public static TimeSpan SilenceLimit(JobsOptions options) => NodeLiveness.Limit(options) * 2;

    /// <summary>
    /// Looks once. Nothing happens to the jobs of a node before it has been silent for a while here, too.
    /// </summary>
    /// <returns>How many jobs were ended or given to another node.</returns>
    /// <exception cref="SnapshotException">database_unavailable.</exception>
    public async Task<int> RunOnceAsync(CancellationToken cancellationToken)
    {
        int changed = 0;
        IReadOnlyList<StrandedJob> stranded = await jobs
            .FindStrandedAsync(SilenceLimit(options.Value), cancellationToken).ConfigureAwait(false);
        Note(stranded);
        foreach (StrandedJob job in stranded.Where(IsLost))
        {
            try
            {
                changed += await TryHelpAsync(job, cancellationToken).ConfigureAwait(false) ? 1 : 0;
            }
            catch (Exception e) when (e is not (OperationCanceledException
                or SnapshotException { Code: SnapshotErrorCode.DatabaseUnavailable }))
            {
                // One that can't be helped must not keep the others.
                LogJobFailed(e, job.Id);
            }
        }

        return changed;
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await database.WaitAsync(stoppingToken).ConfigureAwait(false);
        using var timer = new PeriodicTimer(Interval, time);
        while (await timer.WaitForNextTickAsync(stoppingToken).ConfigureAwait(false))
        {
            try
            {
                await RunOnceAsync(stoppingToken).ConfigureAwait(false);
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                _silent.Clear();
                LogFailed(e);
            }
        }
    }

    private void Note(IReadOnlyList<StrandedJob> stranded)
    {
        Dictionary<string, DateTimeOffset> now = [];
        foreach (StrandedJob job in stranded)
        {
            if (job.SeenAt is { } seenAt)
            {
                now[job.Node] = seenAt;
            }
        }

        foreach (string node in _silent.Keys.Except(now.Keys).ToList())
        {
            _silent.Remove(node);
        }

        foreach ((string node, DateTimeOffset seenAt) in now)
        {
            if (!_silent.TryGetValue(node, out (DateTimeOffset SeenAt, long) known) || known.SeenAt != seenAt)
            {
                _silent[node] = (seenAt, time.GetTimestamp());
            }
        }
    }

    // A node that was deleted is not waited for.
    private bool IsLost(StrandedJob job) => job.SeenAt is null
        || (_silent.TryGetValue(job.Node, out (DateTimeOffset, long Since) silence)
            && time.GetElapsedTime(silence.Since) >= SilenceLimit(options.Value));

    private async Task<bool> TryHelpAsync(StrandedJob job, CancellationToken cancellationToken)
    {
        if (job is { Status: JobStatus.Queued, Elsewhere: { } node })
        {
            return await TryRerouteAsync(job, node, cancellationToken).ConfigureAwait(false);
        }

        if (job.Elsewhere is not null || job.SilentFor is null || job.SilentFor > options.Value.NodeLostAfter)
        {
            return await TryEndAsync(job, cancellationToken).ConfigureAwait(false);
        }

        if (job.Status == JobStatus.Queued)
        {
            string warning = $"node {job.Node} does not answer; the job begins when it does";
            await jobs.AddWarningAsync(job.Id, warning, cancellationToken).ConfigureAwait(false);
        }

        return false;
    }

    private async Task<bool> TryEndAsync(StrandedJob job, CancellationToken cancellationToken)
    {
        string silence = job.SilentFor is { } time
            ? $"node {job.Node} has not answered for {time.TotalSeconds:0} s"
            : $"node {job.Node} was deleted";
        string where = job.Elsewhere is null ? "" : $", and the server is on node {job.Elsewhere} now";
        var error = new JobError(SnapshotErrorCode.NodeLost, silence + where, SnapshotStep.Finished);
        bool hasEnded = await jobs
            .EndStrandedAsync(job, SilenceLimit(options.Value), error, cancellationToken).ConfigureAwait(false);
        if (hasEnded)
        {
            LogEnded(job.Id, job.ServerId, error.Message);
        }

        return hasEnded;
    }

    private async Task<bool> TryRerouteAsync(StrandedJob job, string node, CancellationToken cancellationToken)
    {
        try
        {
            using TransactionScope transaction = JobEnqueuer.BeginTransaction();
            TimeSpan silent = SilenceLimit(options.Value);
            if (!await jobs.RerouteAsync(job.Id, job.Node, node, silent, cancellationToken).ConfigureAwait(false))
            {
                return false;
            }

            await enqueuer.EnqueueAsync(job.Id, node, cancellationToken).ConfigureAwait(false);
            transaction.Complete();
        }
        catch (TransactionException e)
        {
            throw DatabaseFault.Translate(e);
        }

        LogRerouted(job.Id, job.Node, node);
        return true;
    }

    [LoggerMessage(6320, LogLevel.Warning, "Job {JobId} on server {ServerId} is ended: {Reason}")]
    private partial void LogEnded(Guid jobId, Guid serverId, string reason);

    [LoggerMessage(6321, LogLevel.Warning,
        "Queued job {JobId} goes from node {From} to node {To}, which has its server")]
    private partial void LogRerouted(Guid jobId, string from, string to);

    [LoggerMessage(6322, LogLevel.Warning, "Jobs of lost nodes could not be looked for")]
    private partial void LogFailed(Exception exception);

    [LoggerMessage(6323, LogLevel.Error,
        "Job {JobId}, whose node is lost, could not be ended or given to another node")]
    private partial void LogJobFailed(Exception exception, Guid jobId);
}
