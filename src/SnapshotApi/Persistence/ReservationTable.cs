using Npgsql;
using NpgsqlTypes;

namespace SnapshotApi.Persistence;

/// <summary>Table <c>image_reservations</c>: records in Glance that wait for the images of jobs.</summary>
internal sealed class ReservationTable(Database database)
{
    private const string Insert = """
        INSERT INTO image_reservations (image_id, job_id, server_id, project_id, backup_type, rotation)
        VALUES (@image_id, @job_id, @server_id, @project_id, @backup_type, @rotation)
        """;

    // A request makes its row, its record and its job within seconds; a job is never deleted.
    private const string ListEnded = """
        SELECT r.image_id, r.job_id, r.server_id, r.project_id, r.backup_type, r.rotation, j.status
        FROM image_reservations r LEFT JOIN jobs j ON j.id = r.job_id
        WHERE r.next_at <= clock_timestamp()
          AND (j.status IN ('succeeded', 'failed', 'cancelled') OR (j.id IS NULL AND r.created_at < clock_timestamp() - @patience))
        ORDER BY r.created_at
        """;

    private const string Postpone = """
        UPDATE image_reservations
        SET attempts = attempts + 1, next_at = clock_timestamp() + least(interval '1 second' * power(2, least(attempts, 10)), interval '5 minutes')
        WHERE image_id = @image_id
        """;

    private const string Delete = "DELETE FROM image_reservations WHERE image_id = @image_id";

    /// <summary>Notes a record that is about to be made.</summary>
    public Task InsertAsync(ImageReservation reservation, CancellationToken cancellationToken) =>
        database.ExecuteAsync(
            Insert,
            p =>
            {
                p.AddTyped("image_id", NpgsqlDbType.Uuid, reservation.ImageId);
                p.AddTyped("job_id", NpgsqlDbType.Uuid, reservation.JobId);
                p.AddTyped("server_id", NpgsqlDbType.Uuid, reservation.ServerId);
                p.AddTyped("project_id", NpgsqlDbType.Text, reservation.ProjectId);
                p.AddTyped("backup_type", NpgsqlDbType.Text, reservation.BackupType);
                p.AddTyped("rotation", NpgsqlDbType.Bigint, reservation.Rotation);
            },
            cancellationToken);

    /// <summary>Reservations whose job is final, or has never come within that time; without those that are to be tried again later.</summary>
    public Task<IReadOnlyList<EndedReservation>> ListEndedAsync(TimeSpan patience, CancellationToken cancellationToken) =>
        database.ReadAsync(ListEnded, p => p.AddTyped("patience", NpgsqlDbType.Interval, patience), Read, cancellationToken);

    /// <summary>What is left to do could not be done now: it is to be tried again, after 1 s, 2 s, 4 s, ... 5 minutes.</summary>
    public Task PostponeAsync(Guid imageId, CancellationToken cancellationToken) =>
        database.ExecuteAsync(Postpone, p => p.AddTyped("image_id", NpgsqlDbType.Uuid, imageId), cancellationToken);

    /// <summary>Nothing is left to do.</summary>
    public Task DeleteAsync(Guid imageId, CancellationToken cancellationToken) =>
        database.ExecuteAsync(Delete, p => p.AddTyped("image_id", NpgsqlDbType.Uuid, imageId), cancellationToken);

    private static EndedReservation Read(NpgsqlDataReader reader) => new(
        new ImageReservation(
            reader.Get<Guid>("image_id"),
            reader.Get<Guid>("job_id"),
            reader.Get<Guid>("server_id"),
            reader.Get<string>("project_id"),
            reader.NullableText("backup_type"),
            reader.Nullable<long>("rotation")),
        reader.NullableText("status") is { } status ? RowJson.Parse<JobStatus>(status) : null);
}

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
