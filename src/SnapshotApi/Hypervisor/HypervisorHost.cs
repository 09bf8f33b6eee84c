using System.Xml.Linq;

namespace SnapshotApi.Hypervisor;

/// <summary>What libvirt makes guests of by default on its host.</summary>
/// <param name="Emulator">Path of QEMU's executable.</param>
/// <param name="Architecture">For example <c>x86_64</c>.</param>
/// <param name="DomainType"><c>kvm</c> where it can be had, else <c>qemu</c>.</param>
/// <param name="QemuOwner">User and group that QEMU runs as, as a DAC label has them; null: unknown.</param>
internal sealed record HypervisorHost(string Emulator, string Architecture, string DomainType, string? QemuOwner)
{
    /// <summary>Reads libvirt's capabilities: those of its default domain, and those of the host.</summary>
    /// <exception cref="SnapshotException">hypervisor_error: they lack what is needed.</exception>
    public static HypervisorHost Read(string domainCapabilitiesXml, string capabilitiesXml)
    {
        // https://libvirt.org/formatdomaincaps.html
        XElement domain = XElement.Parse(domainCapabilitiesXml);
        string type = (string?)domain.Element("domain") ?? "qemu";

        // https://libvirt.org/formatcaps.html
        XElement? owner = XElement.Parse(capabilitiesXml).Element("host")?.Elements("secmodel")
            .FirstOrDefault(m => (string?)m.Element("model") == "dac");
        return new HypervisorHost(
            (string?)domain.Element("path") ?? throw Lacking("path"),
            (string?)domain.Element("arch") ?? throw Lacking("arch"),
            type,
            (string?)owner?.Elements("baselabel").FirstOrDefault(l => l.Attr("type") == type));
    }

    private static SnapshotException Lacking(string element) => new(
        SnapshotErrorCode.HypervisorError, $"libvirt's capabilities name no {element} for a guest of this host");
}
