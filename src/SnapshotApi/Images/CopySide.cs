namespace SnapshotApi.Images;

/// <summary>Which end of a copy failed.</summary>
internal enum CopySide
{
    /// <summary>Reading the disk.</summary>
    Source,

    /// <summary>Writing the image.</summary>
    Destination,
}
