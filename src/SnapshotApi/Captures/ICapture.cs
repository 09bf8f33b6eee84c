using System.Text.Json.Serialization;
using SnapshotApi.Errors;
using SnapshotApi.Hypervisor;
using SnapshotApi.Journal;

namespace SnapshotApi.Captures;

/// <summary>A way to obtain a stable view of the disks of a server.</summary>
internal interface ICapture
{
    /// <summary>Which one.</summary>
    CaptureKind Kind { get; }

    /// <summary>
    /// Brings the disks into a stable, readable state. What must be undone on the host is in the journal before it is done; ending
    /// the capture is: dispose what is returned, then let the journal undo.
    /// </summary>
    /// <exception cref="SnapshotApi.Errors.SnapshotException">It failed; the journal holds what is to be undone.</exception>
    Task<CapturedDisks> BeginAsync(
        CaptureRequest request, JobJournal journal, ICaptureObserver observer, CancellationToken cancellationToken);
}

/// <summary>How a stable view of the disks is obtained.</summary>
[JsonConverter(typeof(SnakeCaseEnumConverter<CaptureKind>))]
internal enum CaptureKind
{
    /// <summary>Save or use the stopped guest, take its top layer out of the way, start it again.</summary>
    Cold,

    /// <summary>Live copy by a block job; the instant is the end of the copy.</summary>
    Mirror,

    /// <summary>Live, by libvirt's backup job in pull mode; the instant is the start.</summary>
    Backup,
}

/// <summary>What a capture is to do; decided by the plan.</summary>
/// <param name="JobId">Id of the job: names its directory and its internal snapshot.</param>
/// <param name="Server">The server, described from its live XML.</param>
/// <param name="Disks">The disks, with complete chains.</param>
/// <param name="Quiesce">Whether to freeze at the instant.</param>
/// <param name="InternalSnapshot">Cold: take an internal qcow2 snapshot.</param>
/// <param name="BlockRebase">Mirror: blockRebase with undefine and define.</param>
/// <param name="Bandwidth">Mirror: limit of all its block jobs together now, in bytes a second, null for none; it may change while they copy.</param>
internal sealed record CaptureRequest(
    Guid JobId,
    ServerDescription Server,
    IReadOnlyList<DiskDescription> Disks,
    QuiesceMode Quiesce,
    bool InternalSnapshot,
    bool BlockRebase,
    Func<long?> Bandwidth)
{
    /// <summary>UUID of the server.</summary>
    public Guid ServerId => Server.Id;
}

/// <summary>Told what a capture does. Calls are cheap and never throw.</summary>
internal interface ICaptureObserver
{
    /// <summary>A step of the capture began.</summary>
    void StepStarted(CaptureStep step, string? detail = null);

    /// <summary>Something was degraded.</summary>
    void Warn(string message);

    /// <summary>How far a copy that must be done before the disk can be read has come.</summary>
    /// <param name="target">The disk.</param>
    /// <param name="sizeBytes">Size of the disk.</param>
    /// <param name="doneBytes">Bytes copied.</param>
    /// <param name="endBytes">Bytes to copy, as far as known.</param>
    void CopyAdvanced(string target, long sizeBytes, long doneBytes, long endBytes);
}

/// <summary>Steps of the captures.</summary>
internal enum CaptureStep
{
    /// <summary>Guest memory is saved.</summary>
    Saving,

    /// <summary>Top layer is cloned or copied.</summary>
    Cloning,

    /// <summary>Guest is started again.</summary>
    Resuming,

    /// <summary>Block job copies.</summary>
    Mirroring,

    /// <summary>Backup job is begun.</summary>
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
