using System.Text.Json.Serialization;
using SnapshotApi.Hypervisor;
using SnapshotApi.Journal;

namespace SnapshotApi.Captures;

/// <summary>A way to obtain a stable view of the disks of a server.</summary>
internal interface ICapture
{
    CaptureKind Kind { get; }

    /// <summary>
    /// Makes the disks stable and readable. What must be undone is journalled before it is done. To end the capture,
    /// dispose the result, then let the journal undo.
    /// </summary>
    /// <exception cref="SnapshotApi.Errors.SnapshotException">The journal holds what is to be undone.</exception>
    Task<CapturedDisks> BeginAsync(
        CaptureRequest request, JobJournal journal, ICaptureObserver observer, CancellationToken cancellationToken);
}

/// <summary>How a stable view of the disks is obtained.</summary>
[JsonConverter(typeof(SnakeCaseEnumConverter<CaptureKind>))]
internal enum CaptureKind
{
    /// <summary>Save the guest, clone or copy its top layers, start it again.</summary>
    Cold,
    /// <summary>Live copy by a block job; the instant is the end of the copy.</summary>
    Mirror,
    /// <summary>Live, by libvirt's backup job in pull mode; the instant is the start.</summary>
    Backup,
}

/// <summary>What a capture is to do; decided by the plan.</summary>
/// <param name="JobId">Names the job's directory and internal snapshot.</param>
/// <param name="Disks">The disks, with complete chains.</param>
/// <param name="InternalSnapshot">Cold: take an internal qcow2 snapshot.</param>
/// <param name="BlockRebase">Mirror: blockRebase with undefine and define.</param>
/// <param name="Bandwidth">Mirror: limit of all block jobs together now, in bytes a second, null for none.</param>
internal sealed record CaptureRequest(
    Guid JobId, ServerDescription Server, IReadOnlyList<DiskDescription> Disks, QuiesceMode Quiesce,
    bool InternalSnapshot, bool BlockRebase, Func<long?> Bandwidth)
{
    public Guid ServerId => Server.Id;
}

/// <summary>Hears what a capture does. Calls are cheap and never throw.</summary>
internal interface ICaptureObserver
{
    void StepStarted(CaptureStep step, string? detail = null);

    /// <summary>Something was degraded.</summary>
    void Warn(string message);

    /// <summary>Progress of a copy that must be done before the disk can be read.</summary>
    /// <param name="target">The disk.</param>
    /// <param name="sizeBytes">Size of the disk.</param>
    /// <param name="endBytes">Bytes to copy, as far as known.</param>
    void CopyAdvanced(string target, long sizeBytes, long doneBytes, long endBytes);
}

internal enum CaptureStep
{
    /// <summary>The guest's memory is saved.</summary>
    Saving,
    /// <summary>The top layer is cloned or copied.</summary>
    Cloning,
    Resuming,
    Mirroring,
    BackupBeginning,
}

/// <summary>What is known of an image's consistency.</summary>
[JsonConverter(typeof(SnakeCaseEnumConverter<Consistency>))]
internal enum Consistency
{
    /// <summary>File systems were frozen by the guest agent at the instant.</summary>
    Application,
    /// <summary>The guest was stopped, or its memory saved, at the instant.</summary>
    Offline,
    /// <summary>As after a power cut: journals will be replayed at the next boot.</summary>
    Crash,
}

/// <summary>How long the guest did not execute because of a capture.</summary>
/// <param name="Parts">What it was spent on; null when the guest was not saved.</param>
internal readonly record struct GuestDowntime(TimeSpan Total, DowntimeParts? Parts = null)
{
    /// <summary>The guest ran on.</summary>
    public static GuestDowntime None => default;
}

/// <summary>What the downtime of a cold capture was spent on.</summary>
/// <param name="Save">Until the guest's memory was saved and its process ended.</param>
/// <param name="Copy">Until its top layers were copied; with an internal snapshot until its image was read.</param>
/// <param name="Restore">Until it executed again.</param>
internal sealed record DowntimeParts(TimeSpan Save, TimeSpan Copy, TimeSpan Restore);

/// <summary>Whether the guest's file systems are frozen at the instant of a live capture.</summary>
[JsonConverter(typeof(SnakeCaseEnumConverter<QuiesceMode>))]
internal enum QuiesceMode
{
    /// <summary>Freeze if the agent answers, else go on and say so.</summary>
    Auto,
    /// <summary>No image without a freeze.</summary>
    Required,
    /// <summary>Do not freeze.</summary>
    Never,
}
