using SnapshotApi.Cli.Contracts;

namespace SnapshotApi.Cli.Rendering;

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
