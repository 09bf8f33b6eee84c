using System.Xml.Linq;

namespace SnapshotApi.Hypervisor;

/// <summary>Reads <see cref="VirtualHardware"/> from a domain's XML. https://libvirt.org/formatdomain.html</summary>
internal static class HardwareReader
{
    // What distributions call UEFI for guests; of a loader that is no pflash only its name tells what it is.
    private static readonly string[] UefiNames = ["OVMF", "AAVMF", "edk2", "QEMU_EFI", "efi"];

    private static readonly string[] ArchitecturesWithBios = ["x86_64", "i686"];

    /// <summary>Null: the domain is no virtual machine.</summary>
    public static VirtualHardware? Read(XElement domain)
    {
        XElement? os = domain.Element("os");
        if ((string?)os?.Element("type") != "hvm")
        {
            return null;
        }

        XElement? devices = domain.Element("devices");
        XElement? tpm = devices?.Elements("tpm").FirstOrDefault(t => t.Element("backend").Attr("type") == "emulator");
        XElement? cdrom = devices?.Elements("disk").FirstOrDefault(d => d.Attr("device") == "cdrom");
        string? firmware = ReadFirmware(os!);
        return new VirtualHardware
        {
            Firmware = firmware,
            HasSecureBoot = firmware == "uefi" && HasSecureBoot(os!),
            MachineType = os!.Element("type").Attr("machine"),
            NetworkModel = devices?.Elements("interface").FirstOrDefault()?.Element("model").Attr("type"),
            TpmModel = tpm.Attr("model"),
            TpmVersion = tpm?.Element("backend").Attr("version"),
            CdromBus = cdrom?.Element("target").Attr("bus"),
            VideoModel = devices?.Elements("video").FirstOrDefault()?.Element("model").Attr("type"),
        };
    }

    /// <summary>The SCSI controller that a disk is attached to; null for a disk on another bus.</summary>
    public static XElement? FindScsiController(XElement disk, XElement? devices)
    {
        string index = disk.Element("address").Attr("controller") ?? "0";
        return disk.Element("target").Attr("bus") != "scsi" ? null : devices?.Elements("controller")
            .FirstOrDefault(c => c.Attr("type") == "scsi" && (c.Attr("index") ?? "0") == index);
    }

    private static string? ReadFirmware(XElement os)
    {
        XElement? loader = os.Element("loader");
        return os.Attr("firmware") switch
        {
            "efi" => "uefi",
            "bios" => "bios",
            _ when loader.Attr("type") == "pflash" => "uefi",
            _ when loader?.Value is { Length: > 0 } path =>
                UefiNames.Any(
                    name => Path.GetFileName(path).Contains(name, StringComparison.OrdinalIgnoreCase)) ? "uefi" : null,
            _ => ArchitecturesWithBios.Contains(os.Element("type").Attr("arch")) ? "bios" : null,
        };
    }

    // A loader that protects its variables, or the wish for one; without keys in it everything boots.
    private static bool HasSecureBoot(XElement os)
    {
        bool isProtected = os.Element("loader").Attr("secure") == "yes" || IsEnabled(os, "secure-boot") == true;
        return isProtected && IsEnabled(os, "enrolled-keys") != false;
    }

    private static bool? IsEnabled(XElement os, string feature) =>
        os.Element("firmware")?.Elements("feature").FirstOrDefault(f => f.Attr("name") == feature) is { } found
            ? found.Attr("enabled") == "yes"
            : null;
}
