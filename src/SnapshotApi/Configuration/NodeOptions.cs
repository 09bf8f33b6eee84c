using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Text.RegularExpressions;

namespace SnapshotApi.Configuration;

[Description("The host on which this process runs jobs.")]
internal sealed partial class NodeOptions : IValidatableObject
{
    public const string Section = "Node";

    [Description(
        "Name of the node, unique among those that share a database: lower-case letters, digits, `-`, `_` and `.`, "
        + "at most 64 characters.")]
    [DefaultText("the host's name", Example = "kvm1")]
    [Required]
    [RegularExpression(
        "^[a-z0-9][a-z0-9._-]{0,63}$", ErrorMessage = "Node:Name must be 1 to 64 of a-z, 0-9, '.', '_' and '-'.")]
    public string Name { get; set; } = Environment.MachineName.ToLowerInvariant();

    [Description("libvirt of this host, and of its system: neither another host's nor one user's session.")]
    [Required]
    public string LibvirtUri { get; set; } = "qemu:///system";

    // The sockets below it must fit into the 107 bytes of a socket's address.
    [Description(
        "Journals, clones, mirrors, scratch files and sockets: an absolute path of at most 60 bytes, on local "
        + "storage.")]
    [Required]
    [RegularExpression(
        "^/[^\\0\\n]{0,59}$", ErrorMessage = "Node:WorkDirectory must be an absolute path of at most 60 bytes.")]
    public string WorkDirectory { get; set; } = "/var/lib/snapshotapi";

    [Description("How many jobs the node runs at once. More do not read a disk faster, and each costs up to 40 MiB.")]
    [Range(1, 64)]
    public int MaxJobs { get; set; } = 4;

    // With 10 the copy gets a tenth of what a guest gets where all processors are busy, and everything on an idle host.
    [Description("Nice value of the service on a node: guests get a processor first. 0 leaves it as it was started.")]
    [Range(0, 19)]
    public int Nice { get; set; } = 10;

    [Description(
        "Free space in the work directory that a job must leave, in bytes. Below it a backup is ended before QEMU "
        + "has to pause the guest.")]
    [Range(0L, 1L << 40)]
    public long ReservedBytes { get; set; } = 512L << 20;

    [Description("A copy that moves no byte for this long has failed.")]
    [Range(typeof(TimeSpan), "00:00:01", "1.00:00:00")]
    public TimeSpan StallTimeout { get; set; } = TimeSpan.FromMinutes(2);

    [Description("What all jobs of the node together may read of disks, in bytes a second.")]
    [DefaultText("no limit")]
    [Range(64L << 10, 1L << 40)]
    public long? BandwidthBytesPerSecond { get; set; }

    [Description("How long a guest agent may take to freeze or thaw.")]
    [Range(typeof(TimeSpan), "00:00:01", "00:05:00")]
    public TimeSpan FreezeTimeout { get; set; } = TimeSpan.FromSeconds(10);

    [Description("Format of images of which a request names none. Without it qcow2, and raw for block devices.")]
    [AllowedValues(
        null, "qcow2", "raw", "vmdk", "vdi", "vhdx",
        ErrorMessage = "Node:SnapshotImageFormat must be one of qcow2, raw, vmdk, vdi, vhdx.")]
    public string? SnapshotImageFormat { get; set; }

    [Description(
        "When captures are proved on throw-away guests, before any real guest is touched: `auto`, when QEMU, libvirt, "
        + "the kernel or this service has changed; `always`, at every start; `off`, only when asked for.")]
    public CaptureChecking CheckCaptures { get; set; } = CaptureChecking.Auto;

    [Description("How often the node reads the inventory again although no event came.")]
    [Range(typeof(TimeSpan), "00:00:01", "00:10:00")]
    public TimeSpan InventoryInterval { get; set; } = TimeSpan.FromSeconds(10);

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        Match uri = LibvirtUriPattern().Match(LibvirtUri);
        string? error = !uri.Success ? "is no address of libvirt: qemu:///system is this host's."
            : uri.Groups["host"].Length > 0 || uri.Groups["transport"].Value is not ("" or "unix")
                ? "leads to another host, and disks and QEMU's processes must be on this one: run a node on that host, "
                    + "with qemu:///system."
            : uri.Groups["driver"].Value == "qemu" && uri.Groups["path"].Value != "/system"
                ? "is a libvirt of one user, which ends with that user's session: name qemu:///system."
            : null;
        if (error is not null)
        {
            yield return new ValidationResult($"Node:LibvirtUri {error}");
        }
    }

    // https://libvirt.org/uri.html
    [GeneratedRegex(
        @"^(?<driver>[a-z]+)(\+(?<transport>[a-z0-9]+))?://(?<host>[^/?]*)(?<path>/[^?]*)(\?.*)?$",
        RegexOptions.ExplicitCapture)]
    private static partial Regex LibvirtUriPattern();
}

/// <summary>When a node proves its captures without being asked.</summary>
internal enum CaptureChecking
{
    Auto,
    Always,
    Off,
}

[OptionsValidator]
internal sealed partial class NodeOptionsValidator : IValidateOptions<NodeOptions>;
