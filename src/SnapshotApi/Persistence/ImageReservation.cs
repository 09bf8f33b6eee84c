namespace SnapshotApi.Persistence;

/// <summary>One row of <c>image_reservations</c>: a record in Glance that waits for the image of a job.</summary>
/// <param name="ImageId">Id of the image.</param>
/// <param name="JobId">The job that fills it.</param>
/// <param name="ServerId">UUID of its server.</param>
/// <param name="ProjectId">Project that the image belongs to.</param>
/// <param name="BackupType">Kind of backup; null for a snapshot.</param>
/// <param name="Rotation">How many backups of that kind are kept; null: all.</param>
internal sealed record ImageReservation(Guid ImageId, Guid JobId, Guid ServerId, string ProjectId, string? BackupType, long? Rotation);

/// <summary>A reservation with nothing to wait for any more.</summary>
/// <param name="Reservation">The reservation.</param>
/// <param name="Status">How its job ended; null: there is none.</param>
internal sealed record EndedReservation(ImageReservation Reservation, JobStatus? Status);
