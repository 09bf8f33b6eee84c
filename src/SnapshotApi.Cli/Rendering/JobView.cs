using System.Globalization;
using SnapshotApi.Cli.Contracts;

namespace SnapshotApi.Cli.Rendering;

/// <summary>A job for people.</summary>
internal static class JobView
{
    /// <summary>Writes all there is to know of a job.</summary>
    public static void Write(JobDocument job, CliSession session)
    {
        string node = job.Node is null ? "" : $" on {job.Node}";
        session.Tables.WriteFacts(
            ("Job", job.Id),
            ("Server", $"{job.Server?.Name} ({job.Server?.Id}){node}"),
            ("Image name", job.Name),
            ("Status", new Cell(StatusOf(job), CliSession.StyleOf(job.Status))),
            ("Mode", job.Mode),
            ("Capture", job.Capture is { } c ? (c.Reason is null ? c.Kind : $"{c.Kind} ({c.Reason})") : null),
            ("Bandwidth limit", job.BandwidthBytesPerSecond is { } limit ? UnitText.Rate(limit) : null),
            ("Progress", ProgressOf(job)),
            ("Consistency", job.Consistency),
            ("Guest downtime", DowntimeOf(job)),
            ("Frozen for", job.FreezeMs is > 0 and var freeze ? FreezeOf(freeze, job.FrozenFileSystems) : null),
            ("Attempts", job.Attempts is > 1 and var n ? n.ToString(CultureInfo.InvariantCulture) : null),
            ("Created", UnitText.Instant(job.CreatedAt)),
            ("Started", job.StartedAt is null ? null : UnitText.Instant(job.StartedAt)),
            ("Finished", job.FinishedAt is null ? null : UnitText.Instant(job.FinishedAt)),
            ("Error", job.Error is { } e ? new Cell(ErrorText(e), CliSession.StyleOf("failed")) : default));
        foreach (string warning in job.Warnings ?? [])
        {
            session.WriteLine("Warning: " + TerminalText.Show(warning));
        }

        if (job.Disks is { Count: > 0 } disks)
        {
            session.WriteLine("");
            session.Tables.WriteTable(
                ["DISK", new("SIZE", true), new("DATA", true), "FORMAT", new("FILE SIZE", true), "STORE", new("IMAGE", IsWhole: true)],
                [.. disks.Select(DiskRow)]);
            session.Tables.WriteFacts([.. disks.Select(d => ($"Digest of {d.Target}", new Cell(d.Image?.Digest?.ToString())))]);
        }
    }

    /// <summary>Why it failed, with code and step.</summary>
    public static string ErrorText(JobErrorDocument error)
    {
        string step = error.Step is null ? "" : $", in step {error.Step}";
        return $"{error.Message} ({error.Code}{step})";
    }

    /// <summary>Status and step in words.</summary>
    public static string StatusOf(JobDocument job)
    {
        string cancelling = job is { CancelRequested: true, IsFinal: false } ? ", cancel requested" : "";
        return (job.IsFinal || job.Step is null ? job.Status : $"{job.Status}, {job.Step}") + cancelling;
    }

    private static string FreezeOf(long freezeMs, int? fileSystems) => UnitText.Milliseconds(freezeMs)
        + (fileSystems is { } count ? $" ({count.ToString(CultureInfo.InvariantCulture)} file system{(count == 1 ? "" : "s")})" : "");

    private static string? DowntimeOf(JobDocument job) => (job.GuestDowntimeMs, job.Downtime) switch
    {
        (null, _) => null,
        ({ } total, { SaveMs: { } save, CopyMs: { } copy, RestoreMs: { } restore }) =>
            $"{UnitText.Milliseconds(total)} (save {UnitText.Milliseconds(save)}, copy {UnitText.Milliseconds(copy)}, restore {UnitText.Milliseconds(restore)})",
        ({ } total, _) => UnitText.Milliseconds(total),
    };

    private static string? ProgressOf(JobDocument job)
    {
        ProgressRow row = JobProgress.Whole(job);
        string[] parts =
        [
            row.Percent is { } percent ? UnitText.Percent(percent) : "",
            row.BytesText,
            UnitText.Rate(row.BytesPerSecond),
            row.LeftText,
        ];
        return string.Join(", ", parts.Where(p => p.Length > 0));
    }

    private static Cell[] DiskRow(JobDiskDocument disk) =>
    [
        disk.Target,
        UnitText.Size(disk.SizeBytes),
        UnitText.Size(disk.AllocatedBytes),
        disk.Image?.Format ?? "-",
        UnitText.Size(disk.Image?.SizeBytes),
        disk.Image?.Store ?? "-",
        disk.Image?.Id ?? "-",
    ];
}

/// <summary>A job as progress bars.</summary>
internal static class JobProgress
{
    /// <summary>The whole job, and one bar for each disk when there are several.</summary>
    public static ProgressFrame FrameOf(JobDocument job)
    {
        string capture = job.Capture?.Kind is { } kind ? $" ({kind})" : "";
        string headline = $"{job.Name} of {job.Server?.Name}{capture}: {JobView.StatusOf(job)}";
        string phase = $"{job.Status}/{job.Step}/{job.CancelRequested}";
        List<ProgressRow> rows = [Whole(job)];
        if (job.Disks is { Count: > 1 } disks)
        {
            rows.AddRange(disks.Select(RowOf));
        }

        return new ProgressFrame(headline, phase, rows);
    }

    /// <summary>The whole job.</summary>
    public static ProgressRow Whole(JobDocument job)
    {
        JobProgressDocument? progress = job.Progress;
        return new ProgressRow(
            "total",
            progress?.BytesTotal is null && progress?.BytesDone is 0 ? null : progress?.BytesDone,
            progress?.BytesTotal,
            progress?.Percent,
            job.IsFinal ? null : progress?.BytesPerSecond,
            job.IsFinal || progress?.SecondsLeft is not { } seconds ? null : TimeSpan.FromSeconds(Math.Clamp(seconds, 0, 1e8)));
    }

    private static ProgressRow RowOf(JobDiskDocument disk)
    {
        double? percent = disk.Image is not null ? 100
            : (disk.BytesTotal ?? disk.AllocatedBytes) is > 0 and var total && disk.BytesDone is { } done ? Math.Min(100, 100.0 * done / total)
            : null;
        return new ProgressRow(disk.Target ?? "?", disk.BytesDone, disk.BytesTotal ?? disk.AllocatedBytes, percent, null, null);
    }
}
