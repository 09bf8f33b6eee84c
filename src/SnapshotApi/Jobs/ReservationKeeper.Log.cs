namespace SnapshotApi.Jobs;

internal sealed partial class ReservationKeeper
{
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
