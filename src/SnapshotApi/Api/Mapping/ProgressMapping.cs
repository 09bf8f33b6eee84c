using SnapshotApi.Api.Contracts;
using SnapshotApi.Persistence;
using SnapshotApi.Snapshots;

namespace SnapshotApi.Api.Mapping;

/// <summary>Progress of a job, computed from its row.</summary>
/// <remarks>
/// Percent is always bytes done of bytes in all, so that the numbers agree with each other. A disk that was not measured yet
/// counts with all of its size: percent can only become larger. Time left is told only in steps that move bytes: in between, the
/// rate dies away and would promise hours.
/// </remarks>
internal static class ProgressMapping
{
    /// <summary>Progress of a job.</summary>
    public static Progress ProgressOf(JobRecord job)
    {
        long? totalBytes = TotalBytes(job.Disks);
        long doneBytes = job.Status == JobStatus.Succeeded && totalBytes is { } all ? all : DoneBytes(job.Disks);
        long? rate = job.IsFinal ? null : job.BytesPerSecond;
        return new Progress(
            PercentOf(job.Status, doneBytes, totalBytes),
            doneBytes,
            totalBytes,
            rate,
            MovesBytes(job.Step) ? SecondsLeft(doneBytes, totalBytes, rate) : null);
    }

    private static bool MovesBytes(SnapshotStep step) =>
        step is SnapshotStep.Cloning or SnapshotStep.Mirroring or >= SnapshotStep.Uploading;

    private static long? TotalBytes(IReadOnlyList<JobDisk> disks)
    {
        long sum = 0;
        foreach (JobDisk disk in disks)
        {
            if ((disk.AllocatedBytes ?? disk.SizeBytes) is not { } bytes)
            {
                return null;
            }

            sum += bytes;
        }

        return disks.Count == 0 ? null : sum;
    }

    private static long DoneBytes(IReadOnlyList<JobDisk> disks) => disks.Sum(d => Math.Min(d.BytesDone, d.AllocatedBytes ?? d.BytesDone));

    private static int PercentOf(JobStatus status, long doneBytes, long? totalBytes)
    {
        if (status == JobStatus.Succeeded)
        {
            return 100;
        }

        // 100 would claim that the image is proven and published.
        return totalBytes is > 0 ? (int)Math.Clamp(doneBytes * 100m / totalBytes.Value, 0, 99) : 0;
    }

    private static long? SecondsLeft(long doneBytes, long? totalBytes, long? rate) =>
        rate is > 0 && totalBytes is { } total ? (Math.Max(0, total - doneBytes) + rate - 1) / rate : null;
}
