using System.Text.Json.Nodes;
using SnapshotApi.Errors;
using SnapshotApi.Persistence;
using SnapshotApi.Stores.Glance;

namespace SnapshotApi.Jobs;

/// <summary>
/// Makes the records in Glance that wait for images, and sees to them when their job has ended: one that got no image is deleted, so that a
/// client that polls it ends; after a backup, older ones are rotated away. What can't be done now is tried again, also by the next process.
/// </summary>
internal sealed partial class ReservationKeeper : BackgroundService
{
    // Notifications wake it; this is what a lost one costs.
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    // A copy notifies twice a second: looking more often than this helps nobody.
    private static readonly TimeSpan ShortestInterval = TimeSpan.FromMilliseconds(500);

    // Longer than any request: see ReserveAsync.
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    private readonly ReservationTable _reservations;
    private readonly ImageTable _images;
    private readonly GlanceClient _glance;
    private readonly TimeProvider _time;
    private readonly ILogger<ReservationKeeper> _logger;
    private readonly WakeSignal _wake;
    private readonly IDisposable _subscription;

    public ReservationKeeper(
        ReservationTable reservations, ImageTable images, GlanceClient glance, DatabaseListener listener, TimeProvider time, ILogger<ReservationKeeper> logger)
    {
        (_reservations, _images, _glance, _time, _logger) = (reservations, images, glance, time, logger);
        _wake = new WakeSignal(time);
        _subscription = listener.Subscribe(Channels.Job, _ => _wake.Set());
    }

    /// <summary>Makes a record. Noted first: whatever becomes of this process, it is deleted when no job comes to fill it.</summary>
    /// <param name="reservation">The reservation.</param>
    /// <param name="record">The record, with the id of the reservation.</param>
    /// <param name="token">Token of the user to whom it is to belong.</param>
    /// <param name="cancellationToken">The client has gone.</param>
    /// <exception cref="SnapshotException">store_failed, quota_exceeded, timed_out, database_unavailable.</exception>
    public async Task ReserveAsync(ImageReservation reservation, JsonObject record, string token, CancellationToken cancellationToken)
    {
        await _reservations.InsertAsync(reservation, cancellationToken).ConfigureAwait(false);
        try
        {
            await _glance.CreateAsync(record, token, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            await ReleaseAsync(reservation.ImageId).ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Takes a record away again: its job was not accepted.</summary>
    public async Task ReleaseAsync(Guid imageId)
    {
        try
        {
            await _glance.DeleteAsync(imageId, CancellationToken.None).ConfigureAwait(false);
            await _reservations.DeleteAsync(imageId, CancellationToken.None).ConfigureAwait(false);
        }
        catch (SnapshotException e)
        {
            LogLater(e, imageId);
        }
    }

    /// <summary>Sees to all reservations whose job has ended.</summary>
    /// <exception cref="SnapshotException">database_unavailable.</exception>
    public async Task SweepAsync(CancellationToken cancellationToken)
    {
        foreach (EndedReservation ended in await _reservations.ListEndedAsync(Patience, cancellationToken).ConfigureAwait(false))
        {
            Guid imageId = ended.Reservation.ImageId;
            try
            {
                if (ended.Status == JobStatus.Succeeded)
                {
                    await ConcludeAsync(ended.Reservation, cancellationToken).ConfigureAwait(false);
                }
                else if (await _glance.DeleteAsync(imageId, cancellationToken).ConfigureAwait(false))
                {
                    LogDeleted(imageId, ended.Reservation.JobId);
                }

                await _reservations.DeleteAsync(imageId, cancellationToken).ConfigureAwait(false);
            }
            catch (SnapshotException e) when (e.Code != SnapshotErrorCode.DatabaseUnavailable)
            {
                LogLater(e, imageId);
                await _reservations.PostponeAsync(imageId, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    public override void Dispose()
    {
        _subscription.Dispose();
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
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

                await Task.Delay(ShortestInterval, _time, stoppingToken).ConfigureAwait(false);
                await _wake.WaitAsync(Interval, stoppingToken).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The process ends.
        }
    }

    /// <summary>The image is whole: what showed its progress goes, and backups that are too many.</summary>
    private async Task ConcludeAsync(ImageReservation reservation, CancellationToken cancellationToken)
    {
        if ((await _glance.FindAsync(reservation.ImageId, cancellationToken).ConfigureAwait(false))?.Texts.ContainsKey(GlanceProgress.Property) == true)
        {
            await _glance.ChangeAsync(
                reservation.ImageId, new JsonArray(GlanceRecord.Remove(GlanceProgress.Property)), cancellationToken).ConfigureAwait(false);
        }

        if (reservation is { BackupType: { } type, Rotation: { } rotation })
        {
            await RotateAsync(reservation, type, rotation, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>
    /// Deletes all but the newest backups of a type of a server. Only whole images count, so that a failed backup never costs a good one; one
    /// that can't be deleted - it may be protected - does not save the others.
    /// </summary>
    private async Task RotateAsync(ImageReservation reservation, string type, long rotation, CancellationToken cancellationToken)
    {
        var properties = new Dictionary<string, string>
        {
            ["image_type"] = "backup",
            ["backup_type"] = type,
            ["instance_uuid"] = reservation.ServerId.ToString("D"),
        };
        IReadOnlyList<Guid> backups = await _glance.ListActiveAsync(reservation.ProjectId, properties, cancellationToken).ConfigureAwait(false);
        foreach (Guid old in backups.Skip((int)Math.Min(rotation, int.MaxValue)))
        {
            try
            {
                await _glance.DeleteAsync(old, cancellationToken).ConfigureAwait(false);
                await _images.DeleteAsync(old, cancellationToken).ConfigureAwait(false);
                LogRotated(old, type, rotation);
            }
            catch (SnapshotException e) when (e.Code != SnapshotErrorCode.DatabaseUnavailable)
            {
                LogNotRotated(e, old, type);
            }
        }
    }

    [LoggerMessage(EventId = 6120, Level = LogLevel.Information, Message = "The record {ImageId} in Glance got no image by job {JobId}; it was deleted")]
    private partial void LogDeleted(Guid imageId, Guid jobId);

    [LoggerMessage(EventId = 6121, Level = LogLevel.Information, Message = "Backup {ImageId} of type {BackupType} was rotated away; {Rotation} are kept")]
    private partial void LogRotated(Guid imageId, string backupType, long rotation);

    [LoggerMessage(EventId = 6122, Level = LogLevel.Warning, Message = "Backup {ImageId} of type {BackupType} is too many, but could not be deleted")]
    private partial void LogNotRotated(Exception exception, Guid imageId, string backupType);

    [LoggerMessage(EventId = 6123, Level = LogLevel.Warning, Message = "The record {ImageId} in Glance could not be seen to; it is tried again")]
    private partial void LogLater(Exception exception, Guid imageId);

    [LoggerMessage(EventId = 6124, Level = LogLevel.Debug, Message = "The database is away; records in Glance wait")]
    private partial void LogAway(Exception exception);
}
