using System.Globalization;
using System.Xml;
using System.Xml.Linq;
using SnapshotApi.Errors;

namespace SnapshotApi.Hypervisor;

/// <summary>
/// Reads a <see cref="ServerDescription"/> from a domain's XML. Nothing is guessed: what the XML does not name is null.
/// https://libvirt.org/formatdomain.html
/// </summary>
internal static class DomainXmlReader
{
    private const string AgentChannel = "org.qemu.guest_agent.0";

    private static readonly string[] NovaNamespaces = ["http://openstack.org/xmlns/libvirt/nova/1.0", "http://openstack.org/xmlns/libvirt/nova/1.1"];

    /// <summary>Reads a description; state, persistence and jobs are not in the XML and are given.</summary>
    /// <exception cref="SnapshotException">hypervisor_error: it is not the XML of a domain.</exception>
    public static ServerDescription Read(string xml, ServerPowerState state, bool isPersistent, string? activeJob)
    {
        XElement domain = Parse(xml);
        XElement? os = domain.Element("os")?.Element("type");
        XElement? agent = domain.Element("devices")?.Elements("channel").Select(c => c.Element("target"))
            .FirstOrDefault(t => (string?)t?.Attribute("name") == AgentChannel);
        return new ServerDescription(
            ReadId(domain),
            (string?)domain.Element("name") ?? throw Malformed("it has no name", null),
            state,
            isPersistent,
            (string?)domain.Attribute("type") ?? "",
            (string?)os?.Attribute("arch"),
            (string?)os ?? "",
            agent is not null,
            (string?)agent?.Attribute("state") == "connected",
            activeJob,
            ReadQemuOwner(domain),
            [.. domain.Element("devices")?.Elements("disk").Select(d => ReadDisk(d, domain)) ?? [], .. ReadContainerRoot(domain)])
        {
            Nova = ReadNova(domain),
            Hardware = HardwareReader.Read(domain),
            MemoryBytes = ReadMemory(domain),
            Machine = (string?)os?.Attribute("machine"),
            Needs = DomainNeeds.Read(domain),
            SaveObstacle = DomainNeeds.FindSaveObstacle(domain),
            DomainId = int.TryParse((string?)domain.Attribute("id"), CultureInfo.InvariantCulture, out int number) ? number : null,
        };
    }

    // libvirt writes KiB into what it describes, whatever unit it was given.
    private static long ReadMemory(XElement domain) =>
        long.TryParse((string?)domain.Element("currentMemory") ?? (string?)domain.Element("memory"), CultureInfo.InvariantCulture, out long kibibytes)
            ? kibibytes << 10
            : 0;

    // A container has file systems, no disks; the root that lies in an image or on a device is its disk.
    private static IEnumerable<DiskDescription> ReadContainerRoot(XElement domain)
    {
        XElement? root = (string?)domain.Attribute("type") == "lxc"
            ? domain.Element("devices")?.Elements("filesystem").FirstOrDefault(f => (string?)f.Element("target")?.Attribute("dir") == "/")
            : null;
        if (root?.Element("source") is not { } source || (string?)root.Attribute("type") is not ("file" or "block"))
        {
            return [];
        }

        // A device is mounted as it is; what an image holds is for the definition to say.
        string type = (string)root.Attribute("type")!;
        string? format = type == "block" ? "raw" : (string?)root.Element("driver")?.Attribute("format");
        return
        [
            new DiskDescription(
                "root", "disk", type, format, [new DiskLayer(type, ReadPath(source), format)],
                IsReadOnly: root.Element("readonly") is not null,
                IsShareable: false,
                IsTransient: false,
                IsEncrypted: false,
                BootOrder: null,
                MirrorPath: null,
                MirrorReady: false),
        ];
    }

    private static XElement Parse(string xml)
    {
        try
        {
            // No document type: libvirt writes none, and an entity could be anything.
            using var reader = XmlReader.Create(
                new StringReader(xml), new XmlReaderSettings { DtdProcessing = DtdProcessing.Prohibit, XmlResolver = null });
            XElement? root = XDocument.Load(reader).Root;
            return root?.Name.LocalName == "domain" ? root : throw Malformed("its root is not 'domain'", null);
        }
        catch (XmlException e)
        {
            throw Malformed("it is not well-formed", e);
        }
    }

    /// <summary>Nova before Queens wrote 1.0; what is read of both is the same.</summary>
    private static NovaOrigin? ReadNova(XElement domain)
    {
        XElement? instance = domain.Element("metadata")?.Elements().FirstOrDefault(e => e.Name.LocalName == "instance" && NovaNamespaces.Contains(e.Name.NamespaceName));
        if (instance is null)
        {
            return null;
        }

        XNamespace nova = instance.Name.Namespace;
        XElement? root = instance.Element(nova + "root");
        XElement? owner = instance.Element(nova + "owner");
        return new NovaOrigin(
            (string?)root?.Attribute("type") == "image" && Guid.TryParse((string?)root.Attribute("uuid"), CultureInfo.InvariantCulture, out Guid image) ? image : null,
            (string?)owner?.Element(nova + "project")?.Attribute("uuid"),
            (string?)owner?.Element(nova + "user")?.Attribute("uuid"))
        {
            Name = (string?)instance.Element(nova + "name"),
            Flavor = (string?)instance.Element(nova + "flavor")?.Attribute("name"),
            CreatedAt = DateTimeOffset.TryParse(
                (string?)instance.Element(nova + "creationTime"), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out DateTimeOffset at) ? at : null,
        };
    }

    private static Guid ReadId(XElement domain) =>
        Guid.TryParse((string?)domain.Element("uuid"), CultureInfo.InvariantCulture, out Guid id) ? id : throw Malformed("it has no UUID", null);

    private static DiskDescription ReadDisk(XElement disk, XElement domain)
    {
        XElement? mirror = disk.Element("mirror");
        XElement? target = disk.Element("target");
        List<DiskLayer> layers = ReadLayers(disk, out bool isChainEnded);
        return new DiskDescription(
            (string?)target?.Attribute("dev") ?? "",
            (string?)disk.Attribute("device") ?? "disk",
            (string?)disk.Attribute("type") ?? "",
            (string?)disk.Element("driver")?.Attribute("type"),
            layers,
            disk.Element("readonly") is not null,
            disk.Element("shareable") is not null,
            disk.Element("transient") is not null,
            disk.Descendants("encryption").Any(),
            int.TryParse((string?)disk.Element("boot")?.Attribute("order"), CultureInfo.InvariantCulture, out int order) ? order : null,
            mirror is null ? null : ReadPath(mirror.Element("source")) ?? (string?)mirror.Attribute("file") ?? "",
            (string?)mirror?.Attribute("ready") == "yes")
        {
            Bus = (string?)target?.Attribute("bus"),
            ScsiModel = HardwareReader.ReadScsiModel(disk),
            IsChainEnded = isChainEnded,
            HasIoThread = NamesIoThread(disk.Element("driver")) || NamesIoThread(ControllerOf(disk, domain)?.Element("driver")),
            Alias = (string?)disk.Element("alias")?.Attribute("name"),
        };
    }

    // One thread, or a list of them (libvirt 10.0 for disks, 11.2 for SCSI controllers).
    private static bool NamesIoThread(XElement? driver) => driver?.Attribute("iothread") is not null || driver?.Element("iothreads") is not null;

    // Of virtio-scsi it is the controller that has the thread.
    private static XElement? ControllerOf(XElement disk, XElement domain)
    {
        string index = (string?)disk.Element("address")?.Attribute("controller") ?? "0";
        return (string?)disk.Element("target")?.Attribute("bus") == "scsi"
            ? domain.Element("devices")?.Elements("controller")
                .FirstOrDefault(c => (string?)c.Attribute("type") == "scsi" && ((string?)c.Attribute("index") ?? "0") == index)
            : null;
    }

    // A chain ends with an empty <backingStore/>. Without one libvirt goes on by the header of the last layer that is given, when it starts
    // the guest; of a guest that runs it always gives the whole chain.
    private static List<DiskLayer> ReadLayers(XElement disk, out bool isEnded)
    {
        var layers = new List<DiskLayer>();
        string? format = (string?)disk.Element("driver")?.Attribute("type");
        XElement? layer = disk;
        while (layer?.Element("source") is { } source)
        {
            // A slice is a part of a file: not what the path alone would name.
            string type = source.Element("slices") is null ? (string?)layer.Attribute("type") ?? "" : "slice";
            layers.Add(new DiskLayer(type, type is "file" or "block" ? ReadPath(source) : null, format) { Volume = type == "volume" ? ReadVolume(source) : null });
            layer = layer.Element("backingStore");
            format = (string?)layer?.Element("format")?.Attribute("type");
        }

        isEnded = layer is not null && layer != disk;
        return layers;
    }

    private static PoolVolume? ReadVolume(XElement source) =>
        (string?)source.Attribute("pool") is { } pool && (string?)source.Attribute("volume") is { } volume
            ? new PoolVolume(pool, volume, (string?)source.Attribute("mode") == "direct")
            : null;

    private static string? ReadPath(XElement? source) => (string?)source?.Attribute("file") ?? (string?)source?.Attribute("dev");

    private static string? ReadQemuOwner(XElement domain) => (string?)domain.Elements("seclabel")
        .FirstOrDefault(l => (string?)l.Attribute("model") == "dac")?.Element("label");

    private static SnapshotException Malformed(string reason, Exception? inner) =>
        new(SnapshotErrorCode.HypervisorError, $"libvirt's description of a server can't be read: {reason}", inner);
}
