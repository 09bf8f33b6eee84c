using System.Globalization;
using SnapshotApi.Cli.Watching;
using SnapshotApi.Contracts;

namespace SnapshotApi.Cli.Rendering;

/// <summary>A job for people.</summary>
internal static class JobView
{
    /// <summary>Writes all there is to know of a job.</summary>
    public static void Write(Job job, CliSession session)
    {
        session.Tables.WriteFacts(
            ("Job", job.Id.ToString()),
            ("Server", $"{job.Server?.Name} ({job.Server?.Id}) on {job.Node}"),
            ("Image name", job.Name),
            ("Status", new Cell(StatusOf(job), CliSession.StyleOf(job.Status))),
            ("Mode", job.Mode),
            ("Capture", job.Capture is { } c ? (c.Reason is null ? c.Kind : $"{c.Kind} ({c.Reason})") : null),
            ("Bandwidth limit", job.BandwidthBytesPerSecond is { } limit ? UnitText.Rate(limit) : null),
            ("Progress", ProgressOf(job)),
            ("Consistency", job.Consistency),
            ("Guest downtime", DowntimeOf(job)),
            ("Frozen for", job.FreezeMs is > 0 and var freeze ? FreezeOf(freeze, job.FrozenFileSystems) : null),
            ("Attempts", job.Attempts > 1 ? Number(job.Attempts) : null),
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
                [
                    "DISK", new("SIZE", true), new("DATA", true), "FORMAT", new("FILE SIZE", true), "STORE",
                    new("IMAGE", IsWhole: true),
                ],
                [.. disks.Select(DiskRow)]);
            session.Tables.WriteFacts(
                [.. disks.Select(d => ($"Digest of {d.Target}", new Cell(d.Image?.Digest?.ToString())))]);
        }
    }

    /// <summary>Status and step in words.</summary>
    public static string StatusOf(Job job) => job.IsFinal() ? job.Status : $"{job.Status}, {job.Step}";

    private static string ErrorText(JobFailure error) => $"{error.Message} ({error.Code}, in step {error.Step})";

    private static string FreezeOf(long freezeMs, int? fileSystems) => UnitText.Milliseconds(freezeMs)
        + (fileSystems is { } count ? $" ({Number(count)} file system{(count == 1 ? "" : "s")})" : "");

    private static string Number(int number) => number.ToString(CultureInfo.InvariantCulture);

    private static string? DowntimeOf(Job job) => (job.GuestDowntimeMs, job.Downtime) switch
    {
        (null, _) => null,
        ({ } total, var (save, copy, restore)) =>
            $"{UnitText.Milliseconds(total)} (save {UnitText.Milliseconds(save)}, "
            + $"copy {UnitText.Milliseconds(copy)}, restore {UnitText.Milliseconds(restore)})",
        ({ } total, _) => UnitText.Milliseconds(total),
    };

    private static string ProgressOf(Job job)
    {
        ProgressRow row = JobProgress.Whole(job);
        return row.NumbersText(row.Percent is { } percent ? UnitText.Percent(percent) : "");
    }

    private static Cell[] DiskRow(JobDiskState disk) =>
    [
        disk.Target,
        UnitText.Size(disk.SizeBytes),
        UnitText.Size(disk.AllocatedBytes),
        disk.Image?.Format ?? "-",
        UnitText.Size(disk.Image?.SizeBytes),
        disk.Image?.Store ?? "-",
        disk.Image?.Id.ToString() ?? "-",
    ];
}

/// <summary>A job as progress bars.</summary>
internal static class JobProgress
{
    /// <summary>The whole job, and one bar for each disk when there are several.</summary>
    public static ProgressFrame FrameOf(Job job)
    {
        string capture = job.Capture?.Kind is { } kind ? $" ({kind})" : "";
        string headline = $"{job.Name} of {job.Server?.Name}{capture}: {JobView.StatusOf(job)}";
        IEnumerable<ProgressRow> disks = job.Disks is { Count: > 1 } several ? several.Select(RowOf) : [];
        return new ProgressFrame(headline, $"{job.Status}/{job.Step}", [Whole(job), .. disks]);
    }

    /// <summary>The whole job.</summary>
    public static ProgressRow Whole(Job job)
    {
        Progress? progress = job.Progress;
        bool moves = !job.IsFinal();
        return new ProgressRow(
            "total",
            progress is { BytesTotal: null, BytesDone: 0 } ? null : progress?.BytesDone,
            progress?.BytesTotal,
            progress?.Percent,
            moves ? progress?.BytesPerSecond : null,
            moves && progress?.SecondsLeft is { } seconds ? TimeSpan.FromSeconds(Math.Clamp(seconds, 0, 1e8)) : null);
    }

    private static ProgressRow RowOf(JobDiskState disk)
    {
        long? total = disk.BytesTotal ?? disk.AllocatedBytes;
        double? percent = disk.Image is not null ? 100
            : total > 0 ? Math.Min(100, 100.0 * disk.BytesDone / total.Value)
            : null;
        return new ProgressRow(disk.Target, disk.BytesDone, total, percent, null, null);
    }
}
