namespace SnapshotApi.Captures;

/// <summary>How long the guest did not execute because of a capture.</summary>
/// <param name="Total">All of it.</param>
/// <param name="Parts">What it was spent on; null when the guest was not saved.</param>
internal readonly record struct GuestDowntime(TimeSpan Total, DowntimeParts? Parts = null)
{
    /// <summary>The guest ran on.</summary>
    public static GuestDowntime None => default;
}

/// <summary>What the downtime of a cold capture was spent on.</summary>
/// <param name="Save">Until the guest's memory was saved and its process ended.</param>
/// <param name="Copy">Until its top layers were cloned or copied; with an internal snapshot until its image was read.</param>
/// <param name="Restore">Until it executed again.</param>
internal sealed record DowntimeParts(TimeSpan Save, TimeSpan Copy, TimeSpan Restore);
