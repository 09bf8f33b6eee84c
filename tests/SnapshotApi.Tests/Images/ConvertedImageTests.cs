using System.Diagnostics;
using Microsoft.Extensions.Logging.Abstractions;
using SnapshotApi.Errors;
using SnapshotApi.Images;
using SnapshotApi.Linux;
using SnapshotApi.Tests.Nbd;
using SnapshotApi.Tools;
using StoreFile = SnapshotApi.Images.FileSink;

namespace SnapshotApi.Tests.Images;

[Collection(nameof(KilledTools))]
public sealed class ConvertedImageTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("vmdk")]
    [InlineData("vdi")]
    [InlineData("vhdx")]
    public async Task It_is_identical_to_the_disk_private_and_of_its_format(string format)
    {
        using var scratch = new ScratchDirectory();
        await using NbdServer server = await MakeAsync(scratch);
        await using DiskImage image = await OpenAsync(server, format);
        string path = scratch.File("image");
        var progress = new RecordedProgress();

        using (var file = new StoreFile(LinuxFile.CreateNew(path), path, 0))
        {
            await Assert.IsAssignableFrom<FileImage>(image).WriteAsync(file, progress, Token);
            Assert.Equal(file.LengthBytes, new FileInfo(path).Length);
        }

        Assert.Equal(image.DataBytes, progress.Reports[^1]);
        Assert.Equal(progress.Reports.Order(), progress.Reports);
        Assert.True(progress.Reports.Count > 10, $"{progress.Reports.Count} reports");
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
        Assert.Contains(
            "Images are identical",
            await QemuTool.ImgAsync("compare", "-f", "qcow2", "-F", format, scratch.File("disk.qcow2"), path),
            StringComparison.Ordinal);
        await using FileStream stream = File.OpenRead(path);
        await ImageInspector.VerifyAsync(stream, ImageFormatNames.Find(format)!.Value, image.VirtualSizeBytes, Token);
    }

    [Fact]
    public async Task Another_format_is_refused_by_its_first_bytes()
    {
        foreach (ImageFormat format in new[] { ImageFormat.Vmdk, ImageFormat.Vdi, ImageFormat.Vhdx })
        {
            await Assert.ThrowsAsync<ImageRejectedException>(
                () => ImageInspector.VerifyAsync(new MemoryStream(new byte[1024]), format, 1 << 20, Token));
            await Assert.ThrowsAsync<ImageRejectedException>(() => ImageInspector.VerifyAsync(new MemoryStream(), format, 1 << 20, Token));
        }
    }

    [Fact]
    public async Task Cancelling_kills_the_tool()
    {
        using var scratch = new ScratchDirectory();
        await using NbdServer server = await MakeAsync(scratch);
        await using DiskImage image = await OpenAsync(server, "vdi", new ImageStreamOptions { ToolBytesPerSecond = () => 64 << 10 });
        string path = scratch.File("image");
        using var file = new StoreFile(LinuxFile.CreateNew(path), path, 0);
        using var cancel = new CancellationTokenSource();
        var converting = Assert.IsAssignableFrom<FileImage>(image).WriteAsync(file, new RecordedProgress(), cancel.Token);
        await UntilAsync(() => IsAtWorkOn(path));

        await cancel.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => converting);
        Assert.False(IsAtWorkOn(path));
    }

    [Theory]
    [InlineData("vmdk")]
    [InlineData("vdi")]
    [InlineData("vhdx")]
    public async Task A_disk_that_is_nearly_empty_is_a_short_file_also_when_zeros_are_to_stay(string format)
    {
        using var scratch = new ScratchDirectory();
        string disk = scratch.File("disk.qcow2");
        await QemuTool.ImgAsync("create", "-f", "qcow2", disk, "1G");
        await QemuTool.IoAsync(disk, "qcow2", "write -P 7 1M 1M");
        await using NbdServer server = await NbdServer.QemuNbdAsync(disk, "qcow2", "ex,port");
        await using DiskImage image = await OpenAsync(server, format, sparsify: Sparsify.Never);
        string path = scratch.File("image");

        using var file = new StoreFile(LinuxFile.CreateNew(path), path, 0);
        await Assert.IsAssignableFrom<FileImage>(image).WriteAsync(file, new RecordedProgress(), Token);

        Assert.InRange(new FileInfo(path).Length, 1 << 20, 64 << 20);
    }

    [Fact]
    public async Task A_disk_that_can_not_be_read_fails_it()
    {
        using var scratch = new ScratchDirectory();
        NbdServer server = await MakeAsync(scratch);
        await using DiskImage image = await OpenAsync(server, "vmdk");
        await server.DisposeAsync();
        string path = scratch.File("image");
        using var file = new StoreFile(LinuxFile.CreateNew(path), path, 0);

        var e = await Assert.ThrowsAsync<SnapshotException>(
            () => Assert.IsAssignableFrom<FileImage>(image).WriteAsync(file, new RecordedProgress(), Token));

        Assert.Equal(SnapshotErrorCode.ToolFailed, e.Code);
        Assert.DoesNotContain(scratch.FullPath, e.Message, StringComparison.Ordinal);
    }

    private static async Task<NbdServer> MakeAsync(ScratchDirectory scratch)
    {
        string disk = scratch.File("disk.qcow2");
        await QemuTool.ImgAsync("create", "-f", "qcow2", disk, "64M");
        await QemuTool.IoAsync(disk, "qcow2", "write -P 7 1M 30M", "write -P 8 63M 512", "write -P 0 40M 4M");
        return await NbdServer.QemuNbdAsync(disk, "qcow2", "ex,port");
    }

    private static Task<DiskImage> OpenAsync(NbdServer server, string format, ImageStreamOptions? options = null, Sparsify sparsify = Sparsify.Auto) =>
        new ImageOpener(new QemuImg(new ChildProcess(NullLogger<ChildProcess>.Instance))).OpenAsync(
            new NbdEndpoint(server.SocketPath, "ex,port"),
            new ImageSpec(ImageFormatNames.Find(format)!.Value, Sparsify: sparsify),
            spool: null,
            options ?? new ImageStreamOptions(),
            Token);

    private static bool IsAtWorkOn(string path) => Process.GetProcessesByName("qemu-img")
        .Any(p => File.Exists($"/proc/{p.Id}/cmdline") && File.ReadAllText($"/proc/{p.Id}/cmdline").Contains(path, StringComparison.Ordinal));

    private static async Task UntilAsync(Func<bool> condition)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Token);
        patience.CancelAfter(TimeSpan.FromSeconds(30));
        while (!condition())
        {
            await Task.Delay(10, patience.Token);
        }
    }
}
