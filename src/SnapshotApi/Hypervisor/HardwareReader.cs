using System.Xml.Linq;

namespace SnapshotApi.Hypervisor;

/// <summary>Reads <see cref="VirtualHardware"/> from a domain's XML. https://libvirt.org/formatdomain.html</summary>
internal static class HardwareReader
{
    // How distributions call UEFI for guests; of a loader that is no pflash only its name tells what it is.
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
        XElement? tpm = devices?.Elements("tpm").FirstOrDefault(t => (string?)t.Element("backend")?.Attribute("type") == "emulator");
        string? firmware = ReadFirmware(os!);
        return new VirtualHardware
        {
            Firmware = firmware,
            HasSecureBoot = firmware == "uefi" && HasSecureBoot(os!),
            MachineType = (string?)os!.Element("type")!.Attribute("machine"),
            NetworkModel = (string?)devices?.Elements("interface").FirstOrDefault()?.Element("model")?.Attribute("type"),
            TpmModel = (string?)tpm?.Attribute("model"),
            TpmVersion = (string?)tpm?.Element("backend")?.Attribute("version"),
            CdromBus = (string?)devices?.Elements("disk").FirstOrDefault(d => (string?)d.Attribute("device") == "cdrom")
                ?.Element("target")?.Attribute("bus"),
            VideoModel = (string?)devices?.Elements("video").FirstOrDefault()?.Element("model")?.Attribute("type"),
        };
    }

    /// <summary>Model of the SCSI controller that a disk is attached to; null for a disk on another bus.</summary>
    public static string? ReadScsiModel(XElement disk)
    {
        if ((string?)disk.Element("target")?.Attribute("bus") != "scsi")
        {
            return null;
        }

        string index = (string?)disk.Element("address")?.Attribute("controller") ?? "0";
        return (string?)disk.Parent?.Elements("controller")
            .FirstOrDefault(c => (string?)c.Attribute("type") == "scsi" && ((string?)c.Attribute("index") ?? "0") == index)
            ?.Attribute("model");
    }

    private static string? ReadFirmware(XElement os)
    {
        XElement? loader = os.Element("loader");
        return (string?)os.Attribute("firmware") switch
        {
            "efi" => "uefi",
            "bios" => "bios",
            _ when (string?)loader?.Attribute("type") == "pflash" => "uefi",
            _ when loader?.Value is { Length: > 0 } path =>
                UefiNames.Any(name => Path.GetFileName(path).Contains(name, StringComparison.OrdinalIgnoreCase)) ? "uefi" : null,
            _ => ArchitecturesWithBios.Contains((string?)os.Element("type")?.Attribute("arch")) ? "bios" : null,
        };
    }

    // A loader that protects its variables, or the wish for one; without keys in it everything boots.
    private static bool HasSecureBoot(XElement os)
    {
        bool isProtected = (string?)os.Element("loader")?.Attribute("secure") == "yes" || IsEnabled(os, "secure-boot") == true;
        return isProtected && IsEnabled(os, "enrolled-keys") != false;
    }

    private static bool? IsEnabled(XElement os, string feature) =>
        os.Element("firmware")?.Elements("feature").FirstOrDefault(f => (string?)f.Attribute("name") == feature) is { } found
            ? (string?)found.Attribute("enabled") == "yes"
            : null;
}
