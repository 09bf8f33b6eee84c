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

    /// <summary>What a need of the NVRAM file is for.</summary>
    public const string Nvram = "NVRAM";

    /// <summary>Files, programs, networks, addresses and secrets that the definition names.</summary>
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
        Add(needs, StartNeedKind.File, Nvram, (string?)nvram ?? (string?)nvram?.Element("source")?.Attribute("file"));
        foreach (XElement acpi in os?.Element("acpi")?.Elements("table") ?? [])
        {
            Add(needs, StartNeedKind.File, "ACPI table", acpi.Value);
        }

        foreach (XElement entry in domain.Elements("sysinfo").SelectMany(s => s.Elements("entry")))
        {
            Add(needs, StartNeedKind.File, "fw_cfg entry", (string?)entry.Attribute("file"));
        }

        foreach (XElement device in devices?.Elements() ?? [])
        {
            Add(needs, StartNeedKind.File, $"option ROM of {device.Name.LocalName}", (string?)device.Element("rom")?.Attribute("file"));
            Add(needs, StartNeedKind.NewFile, $"{device.Name.LocalName} log", (string?)device.Element("log")?.Attribute("file"));
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
            if (device.Element("transient") is not null)
            {
                return $"its disk {(string?)device.Element("target")?.Attribute("dev")} is transient: libvirt does not save it";
            }

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
        foreach (XElement secret in device.Descendants("secret"))
        {
            string? uuid = (string?)secret.Attribute("uuid");
            string? usage = (string?)secret.Attribute("usage");
            Add(needs, StartNeedKind.Secret, $"{device.Name.LocalName} {(string?)device.Element("target")?.Attribute("dev")}", uuid ?? $"{(string?)secret.Attribute("type")} {usage}");
        }

        switch (device.Name.LocalName)
        {
            case "disk" when ((string?)device.Attribute("type") ?? "") is "file" or "block" or "dir":
                // libvirt would start without a medium that may be missing (startupPolicy): then the guest would not be what it was.
                AddChain(needs, $"{DriveName(device)} {(string?)device.Element("target")?.Attribute("dev")}", device);
                break;
            case "disk" when (string?)device.Attribute("type") == "network":
                AddHosts(needs, $"{DriveName(device)} {(string?)device.Element("target")?.Attribute("dev")}", source);
                break;
            case "graphics":
                AddListens(needs, device);
                break;
            case "serial" or "console" or "parallel" or "channel" or "redirdev" or "smartcard" or "rng" when FindPeer(device) is { } peer:
                AddPeer(needs, device.Name.LocalName, peer);
                break;
            case "interface":
                AddInterface(needs, device, source);
                break;
            case "serial" or "console" or "parallel" or "channel" when (string?)device.Attribute("type") == "dev":
                Add(needs, StartNeedKind.File, $"{device.Name.LocalName} device", (string?)source?.Attribute("path"));
                break;
            case "serial" or "console" or "parallel" or "channel" when (string?)device.Attribute("type") == "pipe":
                Add(needs, StartNeedKind.Pipe, $"{device.Name.LocalName} pipe", (string?)source?.Attribute("path"));
                break;
            case "serial" or "console" or "parallel" or "channel"
                when (string?)device.Attribute("type") == "file" || ((string?)device.Attribute("type") == "unix" && (string?)source?.Attribute("mode") != "connect"):
                // Those of its own libvirt makes, in a directory that it makes anew with each start.
                string? path = (string?)source?.Attribute("path");
                Add(needs, StartNeedKind.NewFile, $"{device.Name.LocalName} port", path?.Contains("/libvirt/", StringComparison.Ordinal) == true ? null : path);
                break;
            case "filesystem" when ((string?)device.Attribute("type") ?? "mount") == "mount":
                Add(needs, StartNeedKind.File, $"file system {(string?)device.Element("target")?.Attribute("dir")}", (string?)source?.Attribute("dir"));
                break;
            case "rng" when (string?)device.Element("backend")?.Attribute("model") == "random":
                Add(needs, StartNeedKind.File, "random number source", (string?)device.Element("backend"));
                break;
            case "tpm" when device.Element("backend")?.Element("encryption") is { } encryption:
                Add(needs, StartNeedKind.Secret, "TPM", (string?)encryption.Attribute("secret"));
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

    /// <summary>
    /// The socket that QEMU connects to when it starts, for a character device; null when it makes the socket itself, or goes on trying
    /// (<c>&lt;reconnect/></c>).
    /// </summary>
    private static XElement? FindPeer(XElement device)
    {
        XElement carrier = device.Name.LocalName == "rng" ? device.Element("backend") ?? device : device;
        XElement? source = carrier.Elements("source").FirstOrDefault(s => (string?)s.Attribute("mode") == "connect");
        bool isTried = (string?)source?.Element("reconnect")?.Attribute("enabled") == "yes";
        return (string?)carrier.Attribute("type") is "unix" or "tcp" && !isTried ? source : null;
    }

    private static void AddPeer(List<StartNeed> needs, string device, XElement source)
    {
        Add(needs, StartNeedKind.Listener, $"{device} device", (string?)source.Attribute("path"));
        AddAddress(needs, $"{device} device", (string?)source.Attribute("host"), (string?)source.Attribute("service"));
    }

    // A cluster (rbd, gluster) may be reached through any of several hosts, and by its own configuration: only a single one is a need.
    private static void AddHosts(List<StartNeed> needs, string what, XElement? source)
    {
        List<XElement> hosts = [.. source?.Elements("host") ?? []];
        if ((string?)source?.Attribute("protocol") is "nbd" or "iscsi" && hosts is [var host])
        {
            Add(needs, StartNeedKind.Listener, what, (string?)host.Attribute("socket"));
            string usual = (string?)source.Attribute("protocol") == "nbd" ? "10809" : "3260";
            AddAddress(needs, what, (string?)host.Attribute("name"), (string?)host.Attribute("port") ?? usual);
        }
    }

    private static void AddAddress(List<StartNeed> needs, string what, string? host, string? port) =>
        Add(needs, StartNeedKind.Listener, what, host is null || port is null ? null : $"{host}|{port}");

    private static void AddListens(List<StartNeed> needs, XElement graphics)
    {
        string what = $"{(string?)graphics.Attribute("type")} display";
        foreach (XElement listen in graphics.Elements("listen"))
        {
            Add(needs, StartNeedKind.Network, what, (string?)listen.Attribute("type") == "network" ? (string?)listen.Attribute("network") : null);
            Add(needs, StartNeedKind.NewFile, what, (string?)listen.Attribute("type") == "socket" ? (string?)listen.Attribute("socket") : null);
            Add(needs, StartNeedKind.OwnAddress, what, (string?)listen.Attribute("type") == "address" ? (string?)listen.Attribute("address") : null);
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

    /// <summary>A pipe, or a pair of them with the endings <c>.in</c> and <c>.out</c>.</summary>
    Pipe,

    /// <summary>A virtual network of libvirt's.</summary>
    Network,

    /// <summary>A network interface of the host: a bridge, or the device of a direct connection.</summary>
    HostInterface,

    /// <summary>A socket that somebody listens on, and that QEMU connects to: a path, or <c>host|port</c>.</summary>
    Listener,

    /// <summary>An address of this host that QEMU listens on.</summary>
    OwnAddress,

    /// <summary>A secret of libvirt's: its UUID, or <c>type usage</c>.</summary>
    Secret,
}
