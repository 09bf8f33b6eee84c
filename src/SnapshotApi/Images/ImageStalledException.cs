namespace SnapshotApi.Images;

/// <summary>No byte moved for the stall limit, and which side was waited for.</summary>
internal sealed class ImageStalledException(CopySide side, TimeSpan limit)
    : TimeoutException($"{(side == CopySide.Source ? "reading the disk" : "writing the image")} stood still for {limit.TotalSeconds:0.###} s")
{
    public CopySide Side { get; } = side;
}
