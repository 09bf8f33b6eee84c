using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace SnapshotApi.Configuration;

/// <summary>Section <c>Node</c>: the host that this process works on.</summary>
internal sealed class NodeOptions
{
    /// <summary>Name of the section.</summary>
    public const string Section = "Node";

    /// <summary>Name of the node, unique among those that share a database.</summary>
    /// <value>Lower-case letters, digits, <c>-</c>, <c>_</c> and <c>.</c>, at most 64 characters. Default: the host's name.</value>
    [Required]
    [RegularExpression("^[a-z0-9][a-z0-9._-]{0,63}$", ErrorMessage = "Node:Name must be 1 to 64 of a-z, 0-9, '.', '_' and '-'.")]
    public string Name { get; set; } = Environment.MachineName.ToLowerInvariant();

    /// <summary>libvirt URI of the node.</summary>
    /// <value>Default <c>qemu:///system</c>.</value>
    [Required]
    public string LibvirtUri { get; set; } = "qemu:///system";

    /// <summary>Where journals, clones, mirrors, scratch files and sockets are.</summary>
    /// <value>
    /// An absolute path of at most 60 bytes, so that the sockets below it fit into 107; on local storage. Default
    /// <c>/var/lib/snapshotapi</c>.
    /// </value>
    [Required]
    [RegularExpression("^/[^\\0\\n]{0,59}$", ErrorMessage = "Node:WorkDirectory must be an absolute path of at most 60 bytes.")]
    public string WorkDirectory { get; set; } = "/var/lib/snapshotapi";

    /// <summary>How many jobs the node runs at once.</summary>
    /// <value>1 to 64. Default 4: more do not read a disk faster, and each costs up to 40 MiB.</value>
    [Range(1, 64)]
    public int MaxJobs { get; set; } = 4;

    /// <summary>Nice value of the service on a node: guests, and what else runs on the host, get a processor first.</summary>
    /// <value>
    /// 0 to 19; 0 leaves it as it was started. Default 10: on a host whose processors are all busy the copy gets a tenth of what a
    /// guest gets, on an idle one everything.
    /// </value>
    [Range(0, 19)]
    public int Nice { get; set; } = 10;

    /// <summary>Free space that scratch, clones and mirrors must leave on the work directory's file system, in bytes.</summary>
    /// <value>0 to 1 TiB. Default 512 MiB: below it a backup job is ended before QEMU has to pause the guest.</value>
    [Range(0L, 1L << 40)]
    public long ReservedBytes { get; set; } = 512L << 20;

    /// <summary>A copy that moves no byte for so long has failed.</summary>
    /// <value>1 s to 1 day. Default 2 minutes.</value>
    [Range(typeof(TimeSpan), "00:00:01", "1.00:00:00")]
    public TimeSpan StallTimeout { get; set; } = TimeSpan.FromMinutes(2);

    /// <summary>What all jobs of the node together may read of disks, in bytes a second.</summary>
    /// <value>64 KiB to 1 TiB; null (default): no limit.</value>
    [Range(64L << 10, 1L << 40)]
    public long? BandwidthBytesPerSecond { get; set; }

    /// <summary>How long a guest agent may take to freeze or thaw.</summary>
    /// <value>1 s to 5 minutes. Default 10 s.</value>
    [Range(typeof(TimeSpan), "00:00:01", "00:05:00")]
    public TimeSpan FreezeTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>Format of images of which a request names no format.</summary>
    /// <value><c>qcow2</c>, <c>raw</c>, <c>vmdk</c>, <c>vdi</c> or <c>vhdx</c>, for all disks. Default: none, which means qcow2, and raw for block devices.</value>
    [AllowedValues(null, "qcow2", "raw", "vmdk", "vdi", "vhdx", ErrorMessage = "Node:SnapshotImageFormat must be one of qcow2, raw, vmdk, vdi, vhdx.")]
    public string? SnapshotImageFormat { get; set; }

    /// <summary>How often the inventory is read anew although no event came.</summary>
    /// <value>1 s to 10 minutes. Default 10 s.</value>
    [Range(typeof(TimeSpan), "00:00:01", "00:10:00")]
    public TimeSpan InventoryInterval { get; set; } = TimeSpan.FromSeconds(10);
}

/// <summary>Checks <see cref="NodeOptions"/> at start; all errors at once.</summary>
[OptionsValidator]
internal sealed partial class NodeOptionsValidator : IValidateOptions<NodeOptions>;
