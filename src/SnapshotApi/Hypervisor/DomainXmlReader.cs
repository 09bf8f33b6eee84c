using System.Xml;
using System.Xml.Linq;

namespace SnapshotApi.Hypervisor;

/// <summary>
/// Reads a <see cref="ServerDescription"/> from a domain's XML. Nothing is guessed: what the XML does not name is null.
/// https://libvirt.org/formatdomain.html
/// </summary>
internal static class DomainXmlReader
{
    private const string AgentChannel = "org.qemu.guest_agent.0";

    private static readonly string[] NovaNamespaces =
        ["http://openstack.org/xmlns/libvirt/nova/1.0", "http://openstack.org/xmlns/libvirt/nova/1.1"];

    /// <summary>Reads a description; state, persistence and jobs are not in the XML.</summary>
    /// <exception cref="SnapshotException">hypervisor_error: it is not the XML of a domain.</exception>
    public static ServerDescription Read(string xml, ServerPowerState state, bool isPersistent, string? activeJob)
    {
        XElement domain = Parse(xml);
        XElement? devices = domain.Element("devices");
        XElement? os = domain.Element("os")?.Element("type");
        XElement? agent = devices?.Elements("channel").Select(c => c.Element("target"))
            .FirstOrDefault(t => t.Attr("name") == AgentChannel);
        return new ServerDescription(
            ReadId(domain),
            (string?)domain.Element("name") ?? throw Malformed("it has no name", null),
            state,
            isPersistent,
            domain.Attr("type") ?? "",
            os.Attr("arch"),
            (string?)os ?? "",
            agent is not null,
            agent.Attr("state") == "connected",
            activeJob,
            ReadQemuOwner(domain),
            [.. devices?.Elements("disk").Select(d => ReadDisk(d, devices)) ?? [], .. ReadContainerRoot(domain)])
        {
            Nova = ReadNova(domain),
            Hardware = HardwareReader.Read(domain),
            MemoryBytes = ReadMemory(domain),
            Machine = os.Attr("machine"),
            Needs = DomainNeeds.Read(domain),
            SaveObstacle = DomainNeeds.FindSaveObstacle(domain),
            DomainId = ReadNumber(domain.Attr("id")),
            CanaryOf = CanaryXml.FindNode(domain),
        };
    }

    private static int? ReadNumber(string? text) =>
        int.TryParse(text, CultureInfo.InvariantCulture, out int number) ? number : null;

    // libvirt describes it in KiB, whatever unit it was given.
    private static long ReadMemory(XElement domain)
    {
        string? memory = (string?)domain.Element("currentMemory") ?? (string?)domain.Element("memory");
        return long.TryParse(memory, CultureInfo.InvariantCulture, out long kibibytes) ? kibibytes << 10 : 0;
    }

    // A container has no disks, but file systems: a root in an image or on a device is its disk.
    private static IEnumerable<DiskDescription> ReadContainerRoot(XElement domain)
    {
        XElement? root = domain.Attr("type") != "lxc" ? null : domain.Element("devices")?.Elements("filesystem")
            .FirstOrDefault(f => f.Element("target").Attr("dir") == "/");
        if (root?.Element("source") is not { } source || root.Attr("type") is not ("file" or "block"))
        {
            return [];
        }

        // A device is mounted as it is; the definition says what an image holds.
        string type = root.Attr("type")!;
        string? format = type == "block" ? "raw" : root.Element("driver").Attr("format");
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
            // libvirt writes no document type, and an entity could be anything.
            var settings = new XmlReaderSettings { DtdProcessing = DtdProcessing.Prohibit, XmlResolver = null };
            using var reader = XmlReader.Create(new StringReader(xml), settings);
            XElement? root = XDocument.Load(reader).Root;
            return root?.Name.LocalName == "domain" ? root : throw Malformed("its root is not 'domain'", null);
        }
        catch (XmlException e)
        {
            throw Malformed("it is not well-formed", e);
        }
    }

    // Nova before Queens wrote 1.0; what is read of both is the same.
    private static NovaOrigin? ReadNova(XElement domain)
    {
        XElement? instance = domain.Element("metadata")?.Elements()
            .FirstOrDefault(e => e.Name.LocalName == "instance" && NovaNamespaces.Contains(e.Name.NamespaceName));
        if (instance is null)
        {
            return null;
        }

        XNamespace nova = instance.Name.Namespace;
        XElement? root = instance.Element(nova + "root");
        XElement? owner = instance.Element(nova + "owner");
        string? imageId = root.Attr("type") == "image" ? root.Attr("uuid") : null;
        CultureInfo culture = CultureInfo.InvariantCulture;
        var createdAt = (string?)instance.Element(nova + "creationTime");
        return new NovaOrigin(
            Guid.TryParse(imageId, culture, out Guid image) ? image : null,
            owner?.Element(nova + "project").Attr("uuid"),
            owner?.Element(nova + "user").Attr("uuid"))
        {
            Name = (string?)instance.Element(nova + "name"),
            Flavor = instance.Element(nova + "flavor").Attr("name"),
            CreatedAt = DateTimeOffset.TryParse(
                createdAt, culture, DateTimeStyles.AssumeUniversal, out DateTimeOffset at) ? at : null,
        };
    }

    private static Guid ReadId(XElement domain) =>
        Guid.TryParse((string?)domain.Element("uuid"), CultureInfo.InvariantCulture, out Guid id)
            ? id
            : throw Malformed("it has no UUID", null);

    private static DiskDescription ReadDisk(XElement disk, XElement devices)
    {
        XElement? mirror = disk.Element("mirror");
        XElement? target = disk.Element("target");
        List<DiskLayer> layers = ReadLayers(disk, out bool isChainEnded);
        return new DiskDescription(
            target.Attr("dev") ?? "",
            disk.Attr("device") ?? "disk",
            disk.Attr("type") ?? "",
            disk.Element("driver").Attr("type"),
            layers,
            disk.Element("readonly") is not null,
            disk.Element("shareable") is not null,
            disk.Element("transient") is not null,
            disk.Descendants("encryption").Any(),
            ReadNumber(disk.Element("boot").Attr("order")),
            mirror is null ? null : ReadPath(mirror.Element("source")) ?? mirror.Attr("file") ?? "",
            mirror.Attr("ready") == "yes")
        {
            Bus = target.Attr("bus"),
            ScsiModel = HardwareReader.FindScsiController(disk, devices).Attr("model"),
            IsChainEnded = isChainEnded,
            HasIoThread = NamesIoThread(disk.Element("driver"))
                || NamesIoThread(HardwareReader.FindScsiController(disk, devices)?.Element("driver")),
            Alias = disk.Element("alias").Attr("name"),
        };
    }

    // One thread, or a list of them (libvirt 10.0 for disks, 11.2 for SCSI controllers).
    private static bool NamesIoThread(XElement? driver) =>
        driver.Attr("iothread") is not null || driver?.Element("iothreads") is not null;

    // A chain ends with an empty <backingStore/>. Without one, libvirt follows the header of the last layer given when
    // it starts the guest; of a guest that runs it always gives the whole chain.
    private static List<DiskLayer> ReadLayers(XElement disk, out bool isEnded)
    {
        var layers = new List<DiskLayer>();
        string? format = disk.Element("driver").Attr("type");
        XElement? layer = disk;
        while (layer?.Element("source") is { } source)
        {
            // A slice is a part of a file: not what the path alone names.
            string type = source.Element("slices") is null ? layer.Attr("type") ?? "" : "slice";
            layers.Add(new DiskLayer(type, type is "file" or "block" ? ReadPath(source) : null, format)
            {
                Volume = type == "volume" ? ReadVolume(source) : null,
            });
            layer = layer.Element("backingStore");
            format = layer?.Element("format").Attr("type");
        }

        isEnded = layer is not null && layer != disk;
        return layers;
    }

    private static PoolVolume? ReadVolume(XElement source) =>
        source.Attr("pool") is { } pool && source.Attr("volume") is { } volume
            ? new PoolVolume(pool, volume, source.Attr("mode") == "direct")
            : null;

    private static string? ReadPath(XElement? source) => source.Attr("file") ?? source.Attr("dev");

    private static string? ReadQemuOwner(XElement domain) => (string?)domain.Elements("seclabel")
        .FirstOrDefault(l => l.Attr("model") == "dac")?.Element("label");

    private static SnapshotException Malformed(string reason, Exception? inner) =>
        new(SnapshotErrorCode.HypervisorError, $"libvirt's description of a server can't be read: {reason}", inner);
}

/// <summary>Attributes of elements that may not be there.</summary>
internal static class XmlAttributes
{
    /// <summary>Its value; null without the element or the attribute.</summary>
    public static string? Attr(this XElement? element, string name) => (string?)element?.Attribute(name);
}
