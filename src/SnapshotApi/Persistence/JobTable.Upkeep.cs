using NpgsqlTypes;

namespace SnapshotApi.Persistence;

/// <summary>What the sweeper looks for.</summary>
internal sealed partial class JobTable
{
    private const string FindDead = $"""
        SELECT {JobRow.Columns} FROM jobs
        WHERE node = @node AND status = 'running' AND lease_expires_at < clock_timestamp()
        ORDER BY created_at
        """;

    private const string FindWaiting = """
        SELECT id, server_id, delivery FROM jobs
        WHERE node = @node AND status = 'queued' AND queued_at < clock_timestamp() - @longer_than
        ORDER BY queued_at
        """;

    private const string DeleteOldEvents = """
        DELETE FROM job_events USING jobs
        WHERE jobs.id = job_events.job_id AND job_events.at < clock_timestamp() - @retention
          AND jobs.finished_at < clock_timestamp() - @retention
        """;

    /// <summary>Running jobs of a node whose lease ended: their worker died, or could not reach the database.</summary>
    public Task<IReadOnlyList<JobRecord>> FindDeadAsync(string node, CancellationToken cancellationToken) =>
        database.ReadAsync(FindDead, p => p.AddTyped("node", NpgsqlDbType.Text, node), JobRow.Read, cancellationToken);

    /// <summary>Jobs of a node that have been queued for longer than that.</summary>
    public Task<IReadOnlyList<WaitingJob>> FindWaitingAsync(string node, TimeSpan longerThan, CancellationToken cancellationToken) =>
        database.ReadAsync(
            FindWaiting,
            p =>
            {
                p.AddTyped("node", NpgsqlDbType.Text, node);
                p.AddTyped("longer_than", NpgsqlDbType.Interval, longerThan);
            },
            r => new WaitingJob(r.Get<Guid>("id"), r.Get<Guid>("server_id"), r.NullableText("delivery")),
            cancellationToken);

    /// <summary>Deletes the step logs of jobs that ended longer ago than that; returns how many lines.</summary>
    public Task<int> DeleteOldEventsAsync(TimeSpan retention, CancellationToken cancellationToken) =>
        database.ExecuteAsync(DeleteOldEvents, p => p.AddTyped("retention", NpgsqlDbType.Interval, retention), cancellationToken);
}

/// <summary>A queued job.</summary>
/// <param name="Id">Id of the job.</param>
/// <param name="ServerId">UUID of its server.</param>
/// <param name="Delivery">Id of its delivery in Hangfire; null: it was never enqueued.</param>
internal sealed record WaitingJob(Guid Id, Guid ServerId, string? Delivery);
