using Npgsql;
using SnapshotApi.Captures;
using SnapshotApi.Snapshots;

namespace SnapshotApi.Persistence;

/// <summary>How rows of <c>jobs</c> and <c>job_events</c> become records.</summary>
internal static class JobRow
{
    /// <summary>The columns that <see cref="Read"/> reads.</summary>
    public const string Columns = """
        id, server_id, server_name, node, request::text AS request, status, step, capture, capture_reason, disks::text AS disks,
        bytes_per_second, consistency, guest_downtime_ms, downtime::text AS downtime, freeze_ms, frozen_file_systems, attempts, warnings::text AS warnings, error::text AS error,
        cancel_requested, version, fence, created_at, started_at, finished_at
        """;

    /// <summary>Reads the current row of <c>jobs</c>.</summary>
    public static JobRecord Read(NpgsqlDataReader reader) => new()
    {
        Id = reader.Get<Guid>("id"),
        ServerId = reader.Get<Guid>("server_id"),
        ServerName = reader.Get<string>("server_name"),
        Node = reader.Get<string>("node"),
        Request = RowJson.Read<SnapshotRequest>(reader.Get<string>("request")),
        Status = RowJson.Parse<JobStatus>(reader.Get<string>("status")),
        Step = RowJson.Parse<SnapshotStep>(reader.Get<string>("step")),
        Capture = reader.NullableText("capture") is { } capture ? RowJson.Parse<CaptureKind>(capture) : null,
        CaptureReason = reader.NullableText("capture_reason"),
        Disks = RowJson.Read<IReadOnlyList<JobDisk>>(reader.Get<string>("disks")),
        BytesPerSecond = reader.Nullable<long>("bytes_per_second"),
        Consistency = reader.NullableText("consistency") is { } consistency ? RowJson.Parse<Consistency>(consistency) : null,
        GuestDowntimeMs = reader.Nullable<long>("guest_downtime_ms"),
        Downtime = reader.NullableText("downtime") is { } downtime ? RowJson.Read<JobDowntime>(downtime) : null,
        FreezeMs = reader.Nullable<long>("freeze_ms"),
        FrozenFileSystems = reader.Nullable<int>("frozen_file_systems"),
        Attempts = reader.Get<int>("attempts"),
        Warnings = RowJson.Read<IReadOnlyList<string>>(reader.Get<string>("warnings")),
        Error = reader.NullableText("error") is { } error ? RowJson.Read<JobError>(error) : null,
        CancelRequested = reader.Get<bool>("cancel_requested"),
        Version = reader.Get<long>("version"),
        Fence = reader.Get<long>("fence"),
        CreatedAt = reader.Get<DateTimeOffset>("created_at"),
        StartedAt = reader.Nullable<DateTimeOffset>("started_at"),
        FinishedAt = reader.Nullable<DateTimeOffset>("finished_at"),
    };

    /// <summary>Reads the current row of <c>job_events</c>.</summary>
    public static JobEvent ReadEvent(NpgsqlDataReader reader) => new(
        reader.Get<long>("sequence"),
        reader.Get<DateTimeOffset>("at"),
        reader.Get<string>("kind"),
        RowJson.Parse<SnapshotStep>(reader.Get<string>("step")),
        reader.NullableText("message"),
        reader.Nullable<long>("duration_ms"));
}
