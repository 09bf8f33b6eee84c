namespace SnapshotApi.Cli.Commands;

/// <summary><c>snapshotctl image</c>: what can be done with one image.</summary>
internal sealed class ImageCommand : CliCommand
{
    public ImageCommand(GlobalOptions global)
        : base("image", "Show, download or delete an image.")
    {
        Add(new ImageShowCommand(global));
        Add(new ImageDownloadCommand(global));
        Add(new ImageDeleteCommand(global));
    }
}
