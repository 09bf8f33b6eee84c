using SnapshotApi.Captures;

namespace SnapshotApi.Persistence;

/// <summary>What the downtime of a cold capture was spent on, in milliseconds.</summary>
/// <param name="SaveMs">Saving the guest's memory.</param>
/// <param name="CopyMs">Cloning or copying its top layers; with an internal snapshot reading its image.</param>
/// <param name="RestoreMs">Starting it again.</param>
internal sealed record JobDowntime(long SaveMs, long CopyMs, long RestoreMs)
{
    /// <summary>The parts as they are stored.</summary>
    public static JobDowntime Of(DowntimeParts parts) =>
        new((long)parts.Save.TotalMilliseconds, (long)parts.Copy.TotalMilliseconds, (long)parts.Restore.TotalMilliseconds);
}
