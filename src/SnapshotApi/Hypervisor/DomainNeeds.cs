using System.Xml.Linq;

namespace SnapshotApi.Hypervisor;

/// <summary>
/// What a start of a domain needs of the host, and what forbids saving its memory, as far as its XML tells. https://libvirt.org/formatdomain.html
/// </summary>
internal static class DomainNeeds
{
    // Elements of <os> that name a file that must be there, and what to call them.
    private static readonly (string Element, string What)[] BootFiles =
        [("kernel", "kernel"), ("initrd", "initial RAM disk"), ("dtb", "device tree"), ("loader", "firmware")];

    /// <summary>Files, programs and networks that the definition names.</summary>
    public static IReadOnlyList<StartNeed> Read(XElement domain)
    {
        XElement? os = domain.Element("os");
        XElement? devices = domain.Element("devices");
        var needs = new List<StartNeed>();
        Add(needs, StartNeedKind.Program, "emulator", (string?)devices?.Element("emulator"));
        foreach ((string element, string what) in BootFiles)
        {
            Add(needs, StartNeedKind.File, what, (string?)os?.Element(element));
        }

        // The variables themselves, once they are there; before that their template.
        XElement? nvram = os?.Element("nvram");
        Add(needs, StartNeedKind.File, "NVRAM", (string?)nvram ?? (string?)nvram?.Element("source")?.Attribute("file"));
        foreach (XElement acpi in os?.Element("acpi")?.Elements("table") ?? [])
        {
            Add(needs, StartNeedKind.File, "ACPI table", acpi.Value);
        }

        foreach (XElement device in devices?.Elements() ?? [])
        {
            AddDevice(needs, device);
        }

        return needs;
    }

    /// <summary>The first thing in the definition that libvirt does not save; null: none that is known.</summary>
    /// <remarks>qemuMigrationSrcIsAllowed of libvirt 9.0. What else it refuses, it refuses before the guest is touched, in its own words.</remarks>
    public static string? FindSaveObstacle(XElement domain)
    {
        // With a frequency of its own the counter can go on elsewhere.
        bool hasFrequency = domain.Element("clock")?.Elements("timer").Any(t => (string?)t.Attribute("name") == "tsc" && t.Attribute("frequency") is not null) == true;
        if (!hasFrequency && domain.Element("cpu")?.Elements("feature").Any(f => (string?)f.Attribute("name") == "invtsc" && ((string?)f.Attribute("policy") ?? "") is "require" or "force") == true)
        {
            return "its processor has the feature invtsc, which libvirt does not save";
        }

        if (domain.Element("launchSecurity") is { } security)
        {
            return $"its memory is protected ({(string?)security.Attribute("type")}): libvirt does not save it";
        }

        foreach (XElement device in domain.Element("devices")?.Elements() ?? [])
        {
            if (device.Name.LocalName == "shmem" && (string?)device.Attribute("role") != "master")
            {
                return $"its shared memory device {(string?)device.Attribute("name")} has not the role of a master: libvirt does not save it";
            }
        }

        return null;
    }

    private static void AddDevice(List<StartNeed> needs, XElement device)
    {
        XElement? source = device.Element("source");
        switch (device.Name.LocalName)
        {
            case "disk" when ((string?)device.Attribute("type") ?? "") is "file" or "block" or "dir":
                string what = $"{DriveName(device)} {(string?)device.Element("target")?.Attribute("dev")}";

                // libvirt starts without a medium that may be missing.
                if (((string?)source?.Attribute("startupPolicy") ?? "mandatory") == "mandatory")
                {
                    AddChain(needs, what, device);
                }

                break;
            case "interface":
                AddInterface(needs, device, source);
                break;
            case "serial" or "console" or "parallel" or "channel" when (string?)device.Attribute("type") == "dev":
                Add(needs, StartNeedKind.File, $"{device.Name.LocalName} device", (string?)source?.Attribute("path"));
                break;
            case "serial" or "console" or "parallel" when ((string?)device.Attribute("type") ?? "") is "file" or "unix":
                Add(needs, StartNeedKind.NewFile, $"{device.Name.LocalName} port", (string?)source?.Attribute("path"));
                break;
            case "filesystem" when ((string?)device.Attribute("type") ?? "mount") == "mount":
                Add(needs, StartNeedKind.File, $"file system {(string?)device.Element("target")?.Attribute("dir")}", (string?)source?.Attribute("dir"));
                break;
            case "rng" when (string?)device.Element("backend")?.Attribute("model") == "random":
                Add(needs, StartNeedKind.File, "random number source", (string?)device.Element("backend"));
                break;
            case "tpm" when (string?)device.Element("backend")?.Attribute("type") == "passthrough":
                Add(needs, StartNeedKind.File, "TPM", (string?)device.Element("backend")?.Element("device")?.Attribute("path"));
                break;
            case "memory":
                Add(needs, StartNeedKind.File, "memory device", (string?)source?.Element("path"));
                break;
            case "input" when ((string?)device.Attribute("type") ?? "") is "passthrough" or "evdev":
                Add(needs, StartNeedKind.File, "input device", (string?)source?.Attribute("evdev") ?? (string?)source?.Attribute("dev"));
                break;
        }
    }

    private static string DriveName(XElement disk) => (string?)disk.Attribute("device") switch
    {
        "cdrom" => "CD-ROM",
        "floppy" => "floppy",
        _ => "disk",
    };

    private static void AddChain(List<StartNeed> needs, string what, XElement disk)
    {
        for (XElement? layer = disk; layer?.Element("source") is { } source; layer = layer.Element("backingStore"))
        {
            Add(needs, StartNeedKind.File, layer == disk ? what : $"base of {what}", (string?)source.Attribute("file") ?? (string?)source.Attribute("dev") ?? (string?)source.Attribute("dir"));
        }
    }

    private static void AddInterface(List<StartNeed> needs, XElement device, XElement? source)
    {
        switch ((string?)device.Attribute("type"))
        {
            case "network":
                Add(needs, StartNeedKind.Network, "network", (string?)source?.Attribute("network"));
                break;
            case "bridge":
                Add(needs, StartNeedKind.HostInterface, "bridge", (string?)source?.Attribute("bridge"));
                break;
            case "direct":
                Add(needs, StartNeedKind.HostInterface, "network device", (string?)source?.Attribute("dev"));
                break;
        }
    }

    private static void Add(List<StartNeed> needs, StartNeedKind kind, string what, string? name)
    {
        if (!string.IsNullOrWhiteSpace(name))
        {
            needs.Add(new StartNeed(kind, what, name));
        }
    }
}

/// <summary>Something of the host that a server's definition names, and without which it does not start.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="What">What it is for, for messages: <c>disk vda</c>, <c>CD-ROM sda</c>, <c>kernel</c>. Holds no path.</param>
/// <param name="Name">Path, or name of the network, bridge or device.</param>
internal sealed record StartNeed(StartNeedKind Kind, string What, string Name);

/// <summary>Kinds of what a start needs.</summary>
internal enum StartNeedKind
{
    /// <summary>A file, directory or device that QEMU opens; libvirt gives it to QEMU's user where it may.</summary>
    File,

    /// <summary>A program that libvirt starts.</summary>
    Program,

    /// <summary>A file that QEMU creates: its directory must be there.</summary>
    NewFile,

    /// <summary>A virtual network of libvirt's.</summary>
    Network,

    /// <summary>A network interface of the host: a bridge, or the device of a direct connection.</summary>
    HostInterface,
}
