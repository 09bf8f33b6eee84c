using Microsoft.Extensions.Logging.Abstractions;
using SnapshotApi.Images;
using SnapshotApi.Tests.Nbd;
using SnapshotApi.Tools;

namespace SnapshotApi.Tests.Images;

/// <summary>A server takes so many connections and no more; a guest may have more disks than that.</summary>
public sealed class DiskSourceTests
{
    // qemu-nbd is started for 16 clients; four connections for each disk would be more.
    private const int Disks = 27;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(ImageFormat.Qcow2, Sparsify.Always, true)]
    [InlineData(ImageFormat.Qcow2, Sparsify.Auto, false)]
    [InlineData(ImageFormat.Raw, Sparsify.Never, false)]
    internal async Task More_disks_than_the_server_takes_connections_are_measured_and_then_read(ImageFormat format, Sparsify sparsify, bool takesFiles)
    {
        using var scratch = new ScratchDirectory();
        await using NbdServer server = await ServeAsync(scratch);
        var images = new List<DiskImage>();

        for (int i = 0; i < Disks; i++)
        {
            images.Add(await OpenAsync(server, format, sparsify, takesFiles ? null : file => file));
        }

        foreach (DiskImage image in images)
        {
            await ReadAsync(image, scratch);
            await image.DisposeAsync();
        }
    }

    [Fact]
    public async Task A_disk_that_waits_for_its_turn_fails_like_one_that_is_read_when_its_server_is_gone()
    {
        using var scratch = new ScratchDirectory();
        await using NbdServer server = await ServeAsync(scratch);
        await using DiskImage image = await OpenAsync(server, ImageFormat.Raw, Sparsify.Never, spool: file => file);
        server.Kill();

        var e = await Assert.ThrowsAsync<ImageCopyException>(() => ReadAsync(image, scratch));

        Assert.Equal(CopySide.Source, e.Side);
    }

    private static async Task<NbdServer> ServeAsync(ScratchDirectory scratch)
    {
        string path = scratch.File("disk.raw");
        byte[] content = new byte[1 << 20];
        new Random(1).NextBytes(content);
        await File.WriteAllBytesAsync(path, content, Token);
        return await NbdServer.QemuNbdAsync(path, "raw");
    }

    private static Task<DiskImage> OpenAsync(NbdServer server, ImageFormat format, Sparsify sparsify, Func<FileImage, DiskImage>? spool) =>
        new ImageOpener(new QemuImg(new ChildProcess(NullLogger<ChildProcess>.Instance))).OpenAsync(
            new NbdEndpoint(server.SocketPath, ""), new ImageSpec(format, Sparsify: sparsify), spool, new ImageStreamOptions(), Token);

    private static async Task ReadAsync(DiskImage image, ScratchDirectory scratch)
    {
        var progress = new RecordedProgress();
        if (image is OrderedImage stream)
        {
            await stream.CopyToAsync(new MemorySink(), progress, Token);
        }
        else
        {
            string path = scratch.File($"{Guid.NewGuid():N}");
            using var file = new SnapshotApi.Images.FileSink(SnapshotApi.Linux.LinuxFile.CreateNew(path), path, 0);
            await Assert.IsAssignableFrom<FileImage>(image).WriteAsync(file, progress, Token);
        }

        Assert.Equal(1 << 20, progress.Reports[^1]);
    }
}
