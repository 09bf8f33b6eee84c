using Npgsql;
using static SnapshotApi.Persistence.Parameter;

namespace SnapshotApi.Persistence;

/// <summary>Table <c>image_reservations</c>: records in Glance that wait for the images of jobs.</summary>
internal sealed class ReservationTable(Database database)
{
    private const string Insert = """
        INSERT INTO image_reservations (image_id, job_id, server_id, project_id, backup_type, rotation)
        VALUES (@image_id, @job_id, @server_id, @project_id, @backup_type, @rotation)
        """;

    // A request makes its row, its record and its job within seconds. A job that has one is not deleted.
    private const string ListEnded = """
        SELECT r.image_id, r.job_id, r.server_id, r.project_id, r.backup_type, r.rotation, j.status
        FROM image_reservations r LEFT JOIN jobs j ON j.id = r.job_id
        WHERE r.next_at <= clock_timestamp()
          AND (j.status IN ('succeeded', 'failed', 'cancelled')
            OR (j.id IS NULL AND r.created_at < clock_timestamp() - @patience))
        ORDER BY r.created_at
        """;

    private const string Postpone = """
        UPDATE image_reservations
        SET attempts = attempts + 1, next_at = clock_timestamp()
            + least(interval '1 second' * power(2, least(attempts, 10)), interval '5 minutes')
        WHERE image_id = @image_id
        """;

    private const string Delete = "DELETE FROM image_reservations WHERE image_id = @image_id";

    /// <summary>Notes a record before it is made.</summary>
    public Task InsertAsync(ImageReservation reservation, CancellationToken cancellationToken) =>
        database.ExecuteAsync(
            Insert,
            [
                Uuid("image_id", reservation.ImageId), Uuid("job_id", reservation.JobId),
                Uuid("server_id", reservation.ServerId), Text("project_id", reservation.ProjectId),
                Text("backup_type", reservation.BackupType), Bigint("rotation", reservation.Rotation),
            ],
            cancellationToken);

    /// <summary>Reservations that are due and whose job is final, or did not come within that time.</summary>
    public Task<IReadOnlyList<EndedReservation>> ListEndedAsync(
        TimeSpan patience, CancellationToken cancellationToken) =>
        database.ReadAsync(ListEnded, [Interval("patience", patience)], Read, cancellationToken);

    /// <summary>Puts a reservation off, with back-off: after 1 s, 2 s, 4 s, ... 5 minutes it is due again.</summary>
    public Task PostponeAsync(Guid imageId, CancellationToken cancellationToken) =>
        database.ExecuteAsync(Postpone, [Uuid("image_id", imageId)], cancellationToken);

    public Task DeleteAsync(Guid imageId, CancellationToken cancellationToken) =>
        database.ExecuteAsync(Delete, [Uuid("image_id", imageId)], cancellationToken);

    private static EndedReservation Read(NpgsqlDataReader row) => new(
        new ImageReservation(
            row.Get<Guid>("image_id"), row.Get<Guid>("job_id"), row.Get<Guid>("server_id"),
            row.Get<string>("project_id"), row.NullableText("backup_type"), row.Nullable<long>("rotation")),
        row.NullableEnum<JobStatus>("status"));
}

/// <summary>One row of <c>image_reservations</c>: a record in Glance that waits for the image of a job.</summary>
/// <param name="ProjectId">Project that owns the image.</param>
/// <param name="BackupType">Kind of backup; null for a snapshot.</param>
/// <param name="Rotation">How many backups of that kind are kept; null: all.</param>
internal sealed record ImageReservation(
    Guid ImageId, Guid JobId, Guid ServerId, string ProjectId, string? BackupType, long? Rotation);

/// <summary>A reservation whose job has ended, or never came (<paramref name="Status"/> is null then).</summary>
internal sealed record EndedReservation(ImageReservation Reservation, JobStatus? Status);
