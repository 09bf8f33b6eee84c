namespace SnapshotApi.Images;

/// <summary>The writers by the format they write.</summary>
internal sealed class ImageWriters
{
    private readonly Dictionary<ImageFormat, IImageWriter> _writers;

    public ImageWriters(IEnumerable<IImageWriter> writers) => _writers = writers.ToDictionary(writer => writer.Format);

    /// <summary>All that this version has.</summary>
    public static ImageWriters All { get; } = new([new Qcow2Writer(), new RawWriter()]);

    /// <exception cref="ArgumentOutOfRangeException">No writer for this format: the planner should have refused it.</exception>
    public IImageWriter For(ImageFormat format) =>
        _writers.TryGetValue(format, out IImageWriter? writer)
            ? writer
            : throw new ArgumentOutOfRangeException(nameof(format), format, "no writer for this format");
}
