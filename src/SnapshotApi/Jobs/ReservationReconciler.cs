using System.Text.Json.Nodes;
using SnapshotApi.Persistence;
using SnapshotApi.Stores.Glance;

namespace SnapshotApi.Jobs;

/// <summary>
/// Makes the records in Glance that wait for images, and reconciles them with jobs that have ended: a record that got
/// no image is deleted, so that a client that polls it ends; after a backup, older ones are rotated away. What can't be
/// done now is tried again, also by the next process.
/// </summary>
internal sealed partial class ReservationReconciler(
    ReservationTable reservations,
    ImageTable images,
    GlanceClient glance,
    DatabaseListener listener,
    TimeProvider time,
    ILogger<ReservationReconciler> logger) : BackgroundService
{
    // Notifications wake the loop; this is what a lost one costs.
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    // A copy notifies twice a second: looking more often than this helps nobody.
    private static readonly TimeSpan ShortestInterval = TimeSpan.FromMilliseconds(500);

    // Longer than any request: see ReserveAsync.
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    /// <summary>Makes a record. It is noted first, so that it is deleted when no job comes to fill it.</summary>
    /// <param name="record">The record, with the id of the reservation.</param>
    /// <param name="token">Token of the user who is to own it.</param>
    /// <exception cref="SnapshotException">store_failed, quota_exceeded, timed_out, database_unavailable.</exception>
    public async Task ReserveAsync(
        ImageReservation reservation, JsonObject record, string token, CancellationToken cancellationToken)
    {
        await reservations.InsertAsync(reservation, cancellationToken).ConfigureAwait(false);
        try
        {
            await glance.CreateAsync(record, token, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            await ReleaseAsync(reservation.ImageId).ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Deletes a record again: its job was not accepted.</summary>
    public async Task ReleaseAsync(Guid imageId)
    {
        try
        {
            await glance.DeleteAsync(imageId, CancellationToken.None).ConfigureAwait(false);
            await reservations.DeleteAsync(imageId, CancellationToken.None).ConfigureAwait(false);
        }
        catch (SnapshotException e)
        {
            LogLater(e, imageId);
        }
    }

    /// <summary>Reconciles all reservations whose job has ended.</summary>
    /// <exception cref="SnapshotException">database_unavailable.</exception>
    public async Task SweepAsync(CancellationToken cancellationToken)
    {
        foreach ((ImageReservation reservation, JobStatus? status) in
            await reservations.ListEndedAsync(Patience, cancellationToken).ConfigureAwait(false))
        {
            Guid imageId = reservation.ImageId;
            try
            {
                if (status == JobStatus.Succeeded)
                {
                    await ConcludeAsync(reservation, cancellationToken).ConfigureAwait(false);
                }
                else if (await glance.DeleteAsync(imageId, cancellationToken).ConfigureAwait(false))
                {
                    LogDeleted(imageId, reservation.JobId);
                }

                await reservations.DeleteAsync(imageId, cancellationToken).ConfigureAwait(false);
            }
            catch (SnapshotException e) when (e.Code != SnapshotErrorCode.DatabaseUnavailable)
            {
                LogLater(e, imageId);
                await reservations.PostponeAsync(imageId, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var wake = new WakeSignal(time);
        using IDisposable subscription = listener.Subscribe(Channels.Job, _ => wake.Set());
        while (true)
        {
            try
            {
                await SweepAsync(stoppingToken).ConfigureAwait(false);
            }
            catch (SnapshotException e) when (e.Code == SnapshotErrorCode.DatabaseUnavailable)
            {
                LogAway(e);
            }

            await Task.Delay(ShortestInterval, time, stoppingToken).ConfigureAwait(false);
            await wake.WaitAsync(Interval, stoppingToken).ConfigureAwait(false);
        }
    }

    /// <summary>The image is complete: its progress property is removed, and so are surplus backups.</summary>
    private async Task ConcludeAsync(ImageReservation reservation, CancellationToken cancellationToken)
    {
        Guid imageId = reservation.ImageId;
        if ((await glance.FindAsync(imageId, cancellationToken).ConfigureAwait(false))?.Texts
            .ContainsKey(GlanceProgress.Property) == true)
        {
            var removal = new JsonArray(GlanceRecord.Remove(GlanceProgress.Property));
            await glance.ChangeAsync(imageId, removal, cancellationToken).ConfigureAwait(false);
        }

        if (reservation is { BackupType: { } type, Rotation: { } rotation })
        {
            await RotateAsync(reservation, type, rotation, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>
    /// Deletes all but the newest backups of a type of a server. Only complete images count, so that a failed backup
    /// never costs a good one; one that can't be deleted - it may be protected - does not save the others.
    /// </summary>
    private async Task RotateAsync(
        ImageReservation reservation, string type, long rotation, CancellationToken cancellationToken)
    {
        var properties = new Dictionary<string, string>
        {
            ["image_type"] = "backup",
            ["backup_type"] = type,
            ["instance_uuid"] = reservation.ServerId.ToString("D"),
        };
        IReadOnlyList<Guid> backups =
            await glance.ListActiveAsync(reservation.ProjectId, properties, cancellationToken).ConfigureAwait(false);
        foreach (Guid old in backups.Skip((int)Math.Min(rotation, int.MaxValue)))
        {
            try
            {
                await glance.DeleteAsync(old, cancellationToken).ConfigureAwait(false);
                await images.DeleteAsync(old, cancellationToken).ConfigureAwait(false);
                LogRotated(old, type, rotation);
            }
            catch (SnapshotException e) when (e.Code != SnapshotErrorCode.DatabaseUnavailable)
            {
                LogNotRotated(e, old, type);
            }
        }
    }

    [LoggerMessage(6120, LogLevel.Information,
        "The record {ImageId} in Glance got no image by job {JobId}; it was deleted")]
    private partial void LogDeleted(Guid imageId, Guid jobId);

    [LoggerMessage(6121, LogLevel.Information,
        "Backup {ImageId} of type {BackupType} was rotated away; {Rotation} are kept")]
    private partial void LogRotated(Guid imageId, string backupType, long rotation);

    [LoggerMessage(6122, LogLevel.Warning,
        "Backup {ImageId} of type {BackupType} is too many, but could not be deleted")]
    private partial void LogNotRotated(Exception exception, Guid imageId, string backupType);

    [LoggerMessage(6123, LogLevel.Warning, "The record {ImageId} in Glance could not be reconciled; it is tried again")]
    private partial void LogLater(Exception exception, Guid imageId);

    [LoggerMessage(6124, LogLevel.Debug, "The database is away; records in Glance wait")]
    private partial void LogAway(Exception exception);
}
