using System.Text.Json.Serialization;

namespace SnapshotApi.Hypervisor;

/// <summary>
/// What of a guest decides whether a capture is safe for it. A guest has several; each must be safe. Every guest is
/// <see cref="Plain"/>.
/// </summary>
[JsonConverter(typeof(SnakeCaseEnumConverter<GuestShape>))]
internal enum GuestShape
{
    /// <summary>A disk that QEMU serves in its main thread.</summary>
    Plain,
    /// <summary>A disk with an I/O thread of its own.</summary>
    IoThread,
    /// <summary>A disk on a SCSI controller.</summary>
    Scsi,
    /// <summary>A disk on a SCSI controller that has an I/O thread.</summary>
    ScsiIoThread,
    /// <summary>More than one disk in one capture.</summary>
    TwoDisks,
}

/// <summary>The shapes of guests.</summary>
internal static class GuestShapes
{
    /// <summary>All, in the order in which they are proved.</summary>
    public static IReadOnlyList<GuestShape> All { get; } = Enum.GetValues<GuestShape>();

    /// <summary>The shapes that disks have together when they are captured.</summary>
    public static IReadOnlyList<GuestShape> Of(IReadOnlyList<DiskDescription> disks)
    {
        List<GuestShape> shapes = [GuestShape.Plain];
        if (disks.Any(d => d.HasIoThread && !IsScsi(d)))
        {
            shapes.Add(GuestShape.IoThread);
        }

        if (disks.Any(IsScsi))
        {
            shapes.Add(GuestShape.Scsi);
        }

        if (disks.Any(d => d.HasIoThread && IsScsi(d)))
        {
            shapes.Add(GuestShape.ScsiIoThread);
        }

        if (disks.Count > 1)
        {
            shapes.Add(GuestShape.TwoDisks);
        }

        return shapes;
    }

    /// <summary>The guests that a shape means, for a sentence.</summary>
    public static string Describe(this GuestShape shape) => shape switch
    {
        GuestShape.IoThread => "guests with an I/O thread",
        GuestShape.Scsi => "guests with a SCSI disk",
        GuestShape.ScsiIoThread => "guests with a SCSI controller that has an I/O thread",
        GuestShape.TwoDisks => "guests with several disks in one snapshot",
        _ => "all guests",
    };

    private static bool IsScsi(DiskDescription disk) => disk.Bus == "scsi" || disk.ScsiModel is not null;
}
