using System.Xml.Linq;

namespace SnapshotApi.Hypervisor;

/// <summary>
/// The definition of a canary: a throw-away guest without an operating system, on which captures are proved. Its
/// metadata name its node, so that the node, and no other on the same libvirt, takes it away.
/// </summary>
internal static class CanaryXml
{
    private const int MemoryMebibytes = 32;

    private static readonly XNamespace Mark = "urn:snapshotapi:canary:1";

    /// <summary>The definition.</summary>
    /// <param name="node">Name of the node whose canary it is.</param>
    /// <param name="paths">Its disks: qcow2 files.</param>
    public static string Build(
        HypervisorHost host, string node, Guid id, string name, GuestShape shape, IReadOnlyList<string> paths)
    {
        bool hasThread = shape is GuestShape.IoThread or GuestShape.ScsiIoThread;
        bool isScsi = shape is GuestShape.Scsi or GuestShape.ScsiIoThread;
        var controller = new XElement(
            "controller", Attributes(("type", "scsi"), ("index", "0"), ("model", "virtio-scsi")),
            hasThread ? new XElement("driver", new XAttribute("iothread", "1")) : null);
        return new XElement(
            "domain",
            new XAttribute("type", host.DomainType),
            new XElement("name", name),
            new XElement("uuid", id.ToString("D")),
            new XElement(
                "metadata",
                new XElement(
                    Mark + "canary", new XAttribute(XNamespace.Xmlns + "snapshotapi", Mark.NamespaceName),
                    new XAttribute("node", node))),
            new XElement("memory", new XAttribute("unit", "MiB"), MemoryMebibytes),
            new XElement("vcpu", 1),
            hasThread ? new XElement("iothreads", 1) : null,
            new XElement("os", new XElement("type", new XAttribute("arch", host.Architecture), "hvm")),
            new XElement(
                "devices",
                new XElement("emulator", host.Emulator),
                paths.Select((path, i) => Disk(path, i, isScsi, hasThread && !isScsi)),
                isScsi ? controller : null,
                new XElement("controller", Attributes(("type", "usb"), ("model", "none"))),
                new XElement("memballoon", new XAttribute("model", "none"))))
            .ToString();
    }

    /// <summary>Names of its disks, in the order of their paths.</summary>
    public static string TargetOf(GuestShape shape, int index) =>
        $"{(shape is GuestShape.Scsi or GuestShape.ScsiIoThread ? "sd" : "vd")}{(char)('a' + index)}";

    /// <summary>The node whose canary a domain is; null: it is a real guest.</summary>
    public static string? FindNode(XElement domain) =>
        domain.Element("metadata")?.Element(Mark + "canary").Attr("node");

    private static XElement Disk(string path, int index, bool isScsi, bool hasThread) => new(
        "disk",
        Attributes(("type", "file"), ("device", "disk")),
        new XElement(
            "driver", Attributes(("name", "qemu"), ("type", "qcow2")),
            hasThread ? new XAttribute("iothread", "1") : null),
        new XElement("source", new XAttribute("file", path)),
        // The chain ends here: nobody follows what its header might name.
        new XElement("backingStore"),
        new XElement(
            "target",
            Attributes(
                ("dev", $"{(isScsi ? "sd" : "vd")}{(char)('a' + index)}"), ("bus", isScsi ? "scsi" : "virtio"))));

    private static IEnumerable<XAttribute> Attributes(params (string Name, string Value)[] attributes) =>
        attributes.Select(a => new XAttribute(a.Name, a.Value));
}
