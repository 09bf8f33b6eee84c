using SnapshotApi.Libvirt.Interop;
using static SnapshotApi.Libvirt.Interop.NativeMethods;

namespace SnapshotApi.Libvirt;

/// <content>Backup jobs and domain jobs. A domain has at most one of them at a time.</content>
public sealed unsafe partial class LibvirtDomain
{
    /// <summary>Begins a backup job. Its instant is that of this call, for all disks. libvirt >= 6.0.0.</summary>
    /// <param name="backupXml">See https://libvirt.org/formatbackup.html</param>
    /// <param name="hasFiles">Its scratch files are there, in their format and size; else libvirt makes them.</param>
    public void BackupBegin(string backupXml, bool hasFiles)
    {
        ArgumentNullException.ThrowIfNull(backupXml);
        uint flags = hasFiles ? VIR_DOMAIN_BACKUP_BEGIN_REUSE_EXTERNAL : 0;
        NativeCheck.NotNegative(virDomainBackupBegin(_handle, backupXml, null, flags));
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

    /// <summary>Ends the domain job at work, whatever it is; the normal end of a backup in pull mode.</summary>
    public void AbortJob() => NativeCheck.NotNegative(virDomainAbortJob(_handle));

    /// <summary>Numbers of the domain job; <see cref="DomainJobType.None"/> when there is none.</summary>
    public DomainJobStats GetJobStats()
    {
        NativeCheck.NotNegative(
            virDomainGetJobStats(_handle, out int type, out virTypedParameter* parameters, out int count, 0));
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

/// <summary><c>virDomainJobOperation</c>: what a domain job does, as far as it is told apart.</summary>
public enum DomainJobOperation
{
    Save = 2,
    MigrationIn = 4,
    MigrationOut = 5,
    Snapshot = 6,
    SnapshotRevert = 7,
    Dump = 8,
    Backup = 9,
}

/// <summary>Numbers of a domain job; which there are depends on the job and the versions of libvirt and QEMU.</summary>
/// <param name="Parameters">The values of C's <c>VIR_DOMAIN_JOB_*</c>, in .NET's types.</param>
public sealed record DomainJobStats(DomainJobType Type, IReadOnlyDictionary<string, object> Parameters)
{
    /// <summary>What the job does; null when libvirt does not say.</summary>
    public DomainJobOperation? Operation
        => Parameters.GetValueOrDefault("operation") is int number ? (DomainJobOperation)number : null;

    public ulong? DataProcessedBytes => Parameters.GetValueOrDefault("data_processed") as ulong?;
}

/// <summary><c>virDomainJobType</c>.</summary>
public enum DomainJobType
{
    None = 0,
    /// <summary>At work, with a known end.</summary>
    Bounded = 1,
    /// <summary>At work, with no known end.</summary>
    Unbounded = 2,
    Completed = 3,
    Failed = 4,
    Cancelled = 5,
}
