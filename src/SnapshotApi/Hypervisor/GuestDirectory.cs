using System.Text;
using System.Xml;
using System.Xml.Linq;

namespace SnapshotApi.Hypervisor;

/// <summary>libvirt's directory of a running guest: its AppArmor and SELinux rules let QEMU bind there only.</summary>
/// <param name="statusDirectory">Where libvirt keeps what it knows of running guests.</param>
/// <param name="libraryDirectory">Where those directories are, for a libvirt that does not say so.</param>
internal sealed class GuestDirectory(string statusDirectory, string libraryDirectory)
{
    // sockaddr_un.sun_path, without its final NUL.
    private const int LongestSocketPathBytes = 107;

    // libvirt's own VIR_DOMAIN_SHORT_NAME_MAX, in characters, not UTF-16 units.
    private const int ShortNameCharacters = 20;

    public static GuestDirectory OfSystem { get; } = new("/run/libvirt/qemu", "/var/lib/libvirt/qemu");

    /// <summary>A path in the guest's directory for the socket of a job's backup.</summary>
    /// <param name="server">Described now: the directory changes with each start.</param>
    /// <returns>Null without such a directory: another libvirt, another mount namespace.</returns>
    public string? FindSocketPath(ServerDescription server, Guid jobId)
    {
        // No longer than "monitor.sock": it fits wherever libvirt's own socket does.
        string name = "sa" + jobId.ToString("N")[^10..];
        string? path = Find(server) is { } found && Directory.Exists(found) ? Path.Combine(found, name) : null;
        return path is not null && Encoding.UTF8.GetByteCount(path) <= LongestSocketPathBytes ? path : null;
    }

    // libvirt's own word counts: after a power cut the directories of former guests are still there.
    private string? Find(ServerDescription server)
    {
        if (server.DomainId is not { } number || server.Name.Contains('/', StringComparison.Ordinal))
        {
            return null;
        }

        string status = Path.Combine(statusDirectory, server.Name + ".xml");
        try
        {
            if (File.Exists(status)
                && XDocument.Load(status).Root?.Element("libDir").Attr("path") is { Length: > 0 } directory)
            {
                return directory;
            }
        }
        catch (Exception e) when (e is IOException or XmlException or UnauthorizedAccessException)
        {
            // Being written, or not readable: the name follows a rule.
        }

        string shortName = string.Concat(
            server.Name.EnumerateRunes().Take(ShortNameCharacters).Select(r => r.ToString()));
        return Path.Combine(libraryDirectory, $"domain-{number.ToString(CultureInfo.InvariantCulture)}-{shortName}");
    }
}
