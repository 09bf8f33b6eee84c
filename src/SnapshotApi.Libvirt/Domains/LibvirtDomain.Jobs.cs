using SnapshotApi.Libvirt.Interop;
using static SnapshotApi.Libvirt.Interop.NativeMethods;

namespace SnapshotApi.Libvirt;

/// <content>Backup jobs and domain jobs. A domain has at most one of them at a time.</content>
public sealed unsafe partial class LibvirtDomain
{
    /// <summary>Begins a backup job. Its instant is that of this call, for all disks. libvirt >= 6.0.0.</summary>
    /// <param name="backupXml">See https://libvirt.org/formatbackup.html</param>
    /// <param name="checkpointXml">Checkpoint to make at the same instant; null: none.</param>
    /// <param name="flags">How.</param>
    public void BackupBegin(string backupXml, string? checkpointXml = null, BackupBeginFlags flags = BackupBeginFlags.None)
    {
        ArgumentNullException.ThrowIfNull(backupXml);
        NativeCheck.NotNegative(
            virDomainBackupBegin(_handle, backupXml, checkpointXml, (uint)flags), nameof(virDomainBackupBegin));
    }

    /// <summary>Description of the backup job at work; null: there is none.</summary>
    public string? GetBackupXml()
    {
        byte* text = virDomainBackupGetXMLDesc(_handle, 0);
        if (text is not null)
        {
            return NativeCheck.OwnedText(text, nameof(virDomainBackupGetXMLDesc));
        }

        LibvirtException error = NativeCheck.LastError(nameof(virDomainBackupGetXMLDesc));
        return error.Code is LibvirtErrorCode.NoDomainBackup ? null : throw error;
    }

    /// <summary>
    /// Ends the domain job at work, whatever it is. For a backup in pull mode that is its normal end: the export, the scratch
    /// files and the socket go.
    /// </summary>
    public void AbortJob() => NativeCheck.NotNegative(virDomainAbortJob(_handle), nameof(virDomainAbortJob));

    /// <summary>Numbers of the domain job; <see cref="DomainJobType.None"/> when there is none.</summary>
    public DomainJobStats GetJobStats()
    {
        NativeCheck.NotNegative(
            virDomainGetJobStats(_handle, out int type, out virTypedParameter* parameters, out int count, 0),
            nameof(virDomainGetJobStats));
        try
        {
            return new DomainJobStats((DomainJobType)type, TypedParameters.Read(parameters, count));
        }
        finally
        {
            virTypedParamsFree(parameters, count);
        }
    }
}

/// <summary><c>virDomainJobOperation</c>: what a domain job does.</summary>
public enum DomainJobOperation
{
    Unknown = 0,

    Start = 1,

    Save = 2,

    Restore = 3,

    MigrationIn = 4,

    MigrationOut = 5,

    Snapshot = 6,

    SnapshotRevert = 7,

    Dump = 8,

    Backup = 9,

    SnapshotDelete = 10,
}

/// <summary>Numbers of a domain job. Which ones there are depends on the job and on the versions of libvirt and QEMU.</summary>
/// <param name="Type">State of the job.</param>
/// <param name="Parameters">
/// Every parameter under its name in C (<c>VIR_DOMAIN_JOB_*</c>), as <see cref="int"/>, <see cref="uint"/>, <see cref="long"/>,
/// <see cref="ulong"/>, <see cref="double"/>, <see cref="bool"/> or <see cref="string"/>.
/// </param>
public sealed record DomainJobStats(DomainJobType Type, IReadOnlyDictionary<string, object> Parameters)
{
    /// <summary>What the job does; null when libvirt does not say.</summary>
    public DomainJobOperation? Operation
        => Parameters.TryGetValue("operation", out object? value) && value is int number ? (DomainJobOperation)number : null;

    /// <summary>Bytes processed.</summary>
    public ulong? DataProcessedBytes => Number("data_processed");

    private ulong? Number(string name) => Parameters.TryGetValue(name, out object? value) ? value as ulong? : null;
}

/// <summary><c>virDomainJobType</c>.</summary>
public enum DomainJobType
{
    /// <summary>No job.</summary>
    None = 0,

    /// <summary>At work, with a known end.</summary>
    Bounded = 1,

    /// <summary>At work, with no known end.</summary>
    Unbounded = 2,

    /// <summary>Ended well.</summary>
    Completed = 3,

    /// <summary>Failed.</summary>
    Failed = 4,

    /// <summary>Cancelled.</summary>
    Cancelled = 5,
}
