using System.Xml.Linq;

namespace SnapshotApi.Hypervisor;

/// <summary>
/// What a start of a domain needs of the host, and what forbids saving its memory, as far as its XML tells.
/// https://libvirt.org/formatdomain.html
/// </summary>
internal static class DomainNeeds
{
    // Elements of <os> that name a file, and what to call them.
    private static readonly (string Element, string What)[] BootFiles =
        [("kernel", "kernel"), ("initrd", "initial RAM disk"), ("dtb", "device tree"), ("loader", "firmware")];

    /// <summary><see cref="StartNeed.What"/> of the NVRAM file.</summary>
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
        Add(needs, StartNeedKind.File, Nvram, (string?)nvram ?? nvram?.Element("source").Attr("file"));
        foreach (XElement acpi in os?.Element("acpi")?.Elements("table") ?? [])
        {
            Add(needs, StartNeedKind.File, "ACPI table", acpi.Value);
        }

        foreach (XElement entry in domain.Elements("sysinfo").SelectMany(s => s.Elements("entry")))
        {
            Add(needs, StartNeedKind.File, "fw_cfg entry", entry.Attr("file"));
        }

        foreach (XElement device in devices?.Elements() ?? [])
        {
            Add(
                needs, StartNeedKind.File, $"option ROM of {device.Name.LocalName}",
                device.Element("rom").Attr("file"));
            Add(needs, StartNeedKind.NewFile, $"{device.Name.LocalName} log", device.Element("log").Attr("file"));
            AddDevice(needs, device);
        }

        return needs;
    }

    /// <summary>The first thing in the definition that libvirt does not save; null: none that is known.</summary>
    /// <remarks>qemuMigrationSrcIsAllowed of libvirt 9.0, which refuses the rest before it touches the guest.</remarks>
    public static string? FindSaveObstacle(XElement domain)
    {
        bool needsCounter = domain.Element("cpu")?.Elements("feature")
            .Any(f => f.Attr("name") == "invtsc" && f.Attr("policy") is "require" or "force") == true;

        // With a frequency of its own the counter can go on elsewhere.
        bool hasFrequency = domain.Element("clock")?.Elements("timer")
            .Any(t => t.Attr("name") == "tsc" && t.Attr("frequency") is not null) == true;
        if (needsCounter && !hasFrequency)
        {
            return "its processor has the feature invtsc, which libvirt does not save";
        }

        if (domain.Element("launchSecurity") is { } security)
        {
            return $"its memory is protected ({security.Attr("type")}): libvirt does not save it";
        }

        foreach (XElement device in domain.Element("devices")?.Elements() ?? [])
        {
            if (device.Element("transient") is not null)
            {
                return $"its disk {device.Element("target").Attr("dev")} is transient: libvirt does not save it";
            }

            if (device.Name.LocalName == "shmem" && device.Attr("role") != "master")
            {
                string? name = device.Attr("name");
                return $"its shared memory device {name} has not the role of a master: libvirt does not save it";
            }
        }

        return null;
    }

    private static void AddDevice(List<StartNeed> needs, XElement device)
    {
        string name = device.Name.LocalName;
        XElement? source = device.Element("source");
        XElement? backend = device.Element("backend");
        string? target = device.Element("target").Attr("dev");
        foreach (XElement secret in device.Descendants("secret"))
        {
            string id = secret.Attr("uuid") ?? $"{secret.Attr("type")} {secret.Attr("usage")}";
            Add(needs, StartNeedKind.Secret, $"{name} {target}", id);
        }

        switch (name)
        {
            case "disk" when device.Attr("type") is "file" or "block" or "dir":
                // libvirt would start without a medium that may be missing (startupPolicy).
                AddChain(needs, $"{DriveName(device)} {target}", device);
                break;
            case "disk" when device.Attr("type") == "network":
                AddHosts(needs, $"{DriveName(device)} {target}", source);
                break;
            case "graphics":
                AddListens(needs, device);
                break;
            case "serial" or "console" or "parallel" or "channel" or "redirdev" or "smartcard" or "rng"
                when FindPeer(device) is { } peer:
                AddPeer(needs, name, peer);
                break;
            case "interface":
                AddInterface(needs, device, source);
                break;
            case "serial" or "console" or "parallel" or "channel":
                AddPort(needs, name, device.Attr("type"), source);
                break;
            case "filesystem" when device.Attr("type") is null or "mount":
                Add(
                    needs, StartNeedKind.File, $"file system {device.Element("target").Attr("dir")}",
                    source.Attr("dir"));
                break;
            case "rng" when backend.Attr("model") == "random":
                Add(needs, StartNeedKind.File, "random number source", (string?)backend);
                break;
            case "tpm" when backend?.Element("encryption") is { } encryption:
                Add(needs, StartNeedKind.Secret, "TPM", encryption.Attr("secret"));
                break;
            case "tpm" when backend.Attr("type") == "passthrough":
                Add(needs, StartNeedKind.File, "TPM", backend?.Element("device").Attr("path"));
                break;
            case "memory":
                Add(needs, StartNeedKind.File, "memory device", (string?)source?.Element("path"));
                break;
            case "input" when device.Attr("type") is "passthrough" or "evdev":
                Add(needs, StartNeedKind.File, "input device", source.Attr("evdev") ?? source.Attr("dev"));
                break;
        }
    }

    private static void AddPort(List<StartNeed> needs, string device, string? type, XElement? source)
    {
        string? path = source.Attr("path");
        switch (type)
        {
            case "dev":
                Add(needs, StartNeedKind.File, $"{device} device", path);
                break;
            case "pipe":
                Add(needs, StartNeedKind.Pipe, $"{device} pipe", path);
                break;
            case "file":
            case "unix" when source.Attr("mode") != "connect":
                // libvirt's own ports lie in a directory that it makes with each start.
                bool isOwn = path?.Contains("/libvirt/", StringComparison.Ordinal) == true;
                Add(needs, StartNeedKind.NewFile, $"{device} port", isOwn ? null : path);
                break;
        }
    }

    // The socket that QEMU connects to when it starts; null: its own, or one tried again (<reconnect/>).
    private static XElement? FindPeer(XElement device)
    {
        XElement carrier = device.Name.LocalName == "rng" ? device.Element("backend") ?? device : device;
        XElement? source = carrier.Elements("source").FirstOrDefault(s => s.Attr("mode") == "connect");
        bool isTried = source?.Element("reconnect").Attr("enabled") == "yes";
        return carrier.Attr("type") is "unix" or "tcp" && !isTried ? source : null;
    }

    private static void AddPeer(List<StartNeed> needs, string device, XElement source)
    {
        Add(needs, StartNeedKind.Listener, $"{device} device", source.Attr("path"));
        AddAddress(needs, $"{device} device", source.Attr("host"), source.Attr("service"));
    }

    // A cluster (rbd, gluster) has several hosts, or its own configuration: none of them is a need.
    private static void AddHosts(List<StartNeed> needs, string what, XElement? source)
    {
        if (source.Attr("protocol") is "nbd" or "iscsi" && source!.Elements("host").ToArray() is [var host])
        {
            Add(needs, StartNeedKind.Listener, what, host.Attr("socket"));
            string usualPort = source.Attr("protocol") == "nbd" ? "10809" : "3260";
            AddAddress(needs, what, host.Attr("name"), host.Attr("port") ?? usualPort);
        }
    }

    private static void AddAddress(List<StartNeed> needs, string what, string? host, string? port) =>
        Add(needs, StartNeedKind.Listener, what, host is null || port is null ? null : $"{host}|{port}");

    private static void AddListens(List<StartNeed> needs, XElement graphics)
    {
        foreach (XElement listen in graphics.Elements("listen"))
        {
            StartNeedKind? kind = listen.Attr("type") switch
            {
                "network" => StartNeedKind.Network,
                "socket" => StartNeedKind.NewFile,
                "address" => StartNeedKind.OwnAddress,
                _ => null,
            };
            if (kind is { } known)
            {
                Add(needs, known, $"{graphics.Attr("type")} display", listen.Attr(listen.Attr("type")!));
            }
        }
    }

    private static string DriveName(XElement disk) => disk.Attr("device") switch
    {
        "cdrom" => "CD-ROM",
        "floppy" => "floppy",
        _ => "disk",
    };

    private static void AddChain(List<StartNeed> needs, string what, XElement disk)
    {
        for (XElement? layer = disk; layer?.Element("source") is { } source; layer = layer.Element("backingStore"))
        {
            string? path = source.Attr("file") ?? source.Attr("dev") ?? source.Attr("dir");
            Add(needs, StartNeedKind.File, layer == disk ? what : $"base of {what}", path);
        }
    }

    private static void AddInterface(List<StartNeed> needs, XElement device, XElement? source)
    {
        switch (device.Attr("type"))
        {
            case "network":
                Add(needs, StartNeedKind.Network, "network", source.Attr("network"));
                break;
            case "bridge":
                Add(needs, StartNeedKind.HostInterface, "bridge", source.Attr("bridge"));
                break;
            case "direct":
                Add(needs, StartNeedKind.HostInterface, "network device", source.Attr("dev"));
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
/// <param name="What">What it is for: <c>disk vda</c>, <c>CD-ROM sda</c>, <c>kernel</c>. Holds no path.</param>
/// <param name="Name">Path, or name of the network, bridge or device.</param>
internal sealed record StartNeed(StartNeedKind Kind, string What, string Name);

internal enum StartNeedKind
{
    /// <summary>A file, directory or device that QEMU opens.</summary>
    File,
    /// <summary>A program that libvirt starts.</summary>
    Program,
    /// <summary>A file that QEMU creates: its directory must be there.</summary>
    NewFile,
    /// <summary>A pipe, or a pair of them with the endings <c>.in</c> and <c>.out</c>.</summary>
    Pipe,
    /// <summary>A virtual network of libvirt's.</summary>
    Network,
    /// <summary>A bridge of the host, or the device of a direct connection.</summary>
    HostInterface,
    /// <summary>A socket that QEMU connects to: a path, or <c>host|port</c>.</summary>
    Listener,
    /// <summary>An address of this host that QEMU listens on.</summary>
    OwnAddress,
    /// <summary>A secret of libvirt's: its UUID, or <c>type usage</c>.</summary>
    Secret,
}
