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
    public DomainJobStats GetJobStats(JobStatsFlags flags = JobStatsFlags.None)
    {
        NativeCheck.NotNegative(
            virDomainGetJobStats(_handle, out int type, out virTypedParameter* parameters, out int count, (uint)flags),
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
