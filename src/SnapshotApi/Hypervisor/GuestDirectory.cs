using System.Globalization;
using System.Text;
using System.Xml;
using System.Xml.Linq;

namespace SnapshotApi.Hypervisor;

/// <summary>
/// libvirt's own directory of a running guest, in which the guest's QEMU has its monitor socket. AppArmor's and SELinux's rules of libvirt let QEMU
/// bind a socket there and nowhere else.
/// </summary>
/// <param name="statusDirectory">Where libvirt keeps what it knows of running guests.</param>
/// <param name="libraryDirectory">Where those directories are, for a libvirt that does not say so.</param>
internal sealed class GuestDirectory(string statusDirectory, string libraryDirectory)
{
    // sockaddr_un.sun_path, without its final NUL.
    private const int LongestSocketPathBytes = 107;

    // libvirt's own VIR_DOMAIN_SHORT_NAME_MAX, in characters, not UTF-16 units.
    private const int ShortNameCharacters = 20;

    /// <summary>That of the system's libvirtd.</summary>
    public static GuestDirectory OfSystem { get; } = new("/run/libvirt/qemu", "/var/lib/libvirt/qemu");

    /// <summary>A path in the guest's directory for the socket of a job's backup.</summary>
    /// <param name="server">A running server, as described now: the directory changes with each start.</param>
    /// <param name="jobId">Names the socket.</param>
    /// <returns>Null where there is no such directory: another libvirt, another mount name space.</returns>
    public string? FindSocketPath(ServerDescription server, Guid jobId)
    {
        // "monitor.sock" has 12 bytes: what is no longer fits wherever libvirt's own socket does.
        string name = "sa" + jobId.ToString("N")[^10..];
        return Find(server) is { } directory && Directory.Exists(directory) && Path.Combine(directory, name) is var path
            && Encoding.UTF8.GetByteCount(path) <= LongestSocketPathBytes
            ? path
            : null;
    }

    // libvirt's own word is the authority: after a power cut the directories of former guests are still there.
    private string? Find(ServerDescription server)
    {
        if (server.DomainId is not { } number || server.Name.Contains('/', StringComparison.Ordinal))
        {
            return null;
        }

        string status = Path.Combine(statusDirectory, server.Name + ".xml");
        try
        {
            if (File.Exists(status) && (string?)XDocument.Load(status).Root?.Element("libDir")?.Attribute("path") is { Length: > 0 } told)
            {
                return told;
            }
        }
        catch (Exception e) when (e is IOException or XmlException or UnauthorizedAccessException)
        {
            // Being written, or not for us: its name follows a rule.
        }

        string shortName = string.Concat(server.Name.EnumerateRunes().Take(ShortNameCharacters).Select(r => r.ToString()));
        return Path.Combine(libraryDirectory, $"domain-{number.ToString(CultureInfo.InvariantCulture)}-{shortName}");
    }
}
