using System.Text;
using SnapshotApi.Api.Validation;
using SnapshotApi.Errors;
using SnapshotApi.Hypervisor;
using SnapshotApi.Images;
using SnapshotApi.Journal;

namespace SnapshotApi.Fuzz;

/// <summary>The parsers of what others write: pure functions that accept an input or refuse it in their own words.</summary>
public static class FuzzTargets
{
    /// <summary>All of them by the name of their corpus.</summary>
    public static IReadOnlyDictionary<string, FuzzTarget> All { get; } = new Dictionary<string, FuzzTarget>(StringComparer.Ordinal)
    {
        ["domain-xml"] = DomainXml,
        ["qcow2-header"] = Qcow2Header,
        ["snapshot-request"] = SnapshotRequest,
        ["job-patch"] = JobPatch,
        ["journal-line"] = Line,
    };

    // What libvirt tells of a guest; its metadata is written by whoever may define one.
    private static void DomainXml(byte[] input)
    {
        try
        {
            ServerDescription server = DomainXmlReader.Read(Encoding.UTF8.GetString(input), ServerPowerState.Running, isPersistent: true, activeJob: null);
            foreach (DiskDescription disk in server.Disks)
            {
                ArgumentNullException.ThrowIfNull(disk.Target);
            }
        }
        catch (SnapshotException e) when (e.Code == SnapshotErrorCode.HypervisorError)
        {
        }
    }

    // What a guest writes at the start of its disk.
    private static void Qcow2Header(byte[] input)
    {
        try
        {
            Qcow2HeaderReader.Read(input);
        }
        catch (ImageRejectedException)
        {
        }
    }

    private static void SnapshotRequest(byte[] input) => Request(() => SnapshotRequestReader.Read(input));

    private static void JobPatch(byte[] input) => Request(() => JobPatchReader.Read(input));

    // A crash may leave any bytes at the end of a journal.
    private static void Line(byte[] input) => JournalLine.TryParse(input);

    private static void Request(Action read)
    {
        try
        {
            read();
        }
        catch (SnapshotException e) when (e.Code == SnapshotErrorCode.InvalidRequest)
        {
        }
    }
}
