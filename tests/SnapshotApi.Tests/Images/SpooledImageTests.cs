using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using SnapshotApi.Configuration;
using SnapshotApi.Images;
using SnapshotApi.Journal;
using SnapshotApi.Tests.Fakes;
using SnapshotApi.Tests.Nbd;
using SnapshotApi.Tools;

namespace SnapshotApi.Tests.Images;

public sealed class SpooledImageTests : IDisposable
{
    private readonly ScratchDirectory _scratch = new();
    private readonly JobJournal _journal;

    public SpooledImageTests() => _journal = JobJournal.Create(
        _scratch.File("journal"),
        new JournalHeader(Guid.NewGuid(), Guid.NewGuid(), 1, 1),
        new FakeUndoExecutor(),
        TimeProvider.System,
        NullLogger.Instance);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string SpoolDirectory => Path.Combine(_scratch.FullPath, "run", $"{Guid.Empty:N}-spool");

    [Fact]
    public async Task It_is_made_once_and_sent_as_often_as_it_takes_after_its_disk_is_gone()
    {
        NbdServer server = await ServeAsync();
        DiskImage image = await OpenAsync(server);
        Assert.Equal((false, true, false), (image.NeedsFile, image.NeedsPreparing, image.IsDetached));

        await image.PrepareAsync(new RecordedProgress(), Token);
        await server.DisposeAsync();

        Assert.True(image.IsDetached);
        string file = Assert.Single(Directory.GetFiles(SpoolDirectory));
        byte[] made = await File.ReadAllBytesAsync(file, Token);
        var digests = new List<Digest>();
        for (int i = 0; i < 2; i++)
        {
            var target = new MemoryTarget();
            digests.Add(await image.CopyAsync(target, "sha256", new RecordedProgress(), Token));
            Assert.Equal(made, target.Memory.Bytes);
        }

        Assert.Equal(digests[0], digests[1]);
        Assert.Equal(made.Length, image.LengthBytes);
        await image.DisposeAsync();
        Assert.Empty(Directory.GetFiles(SpoolDirectory));
        Assert.DoesNotContain(_journal.Pending, e => e.Action is EndProcess);
    }

    [Fact]
    public async Task A_file_that_became_shorter_is_the_sources_failure()
    {
        await using NbdServer server = await ServeAsync();
        await using DiskImage image = await OpenAsync(server);
        await image.PrepareAsync(new RecordedProgress(), Token);
        await File.WriteAllBytesAsync(Directory.GetFiles(SpoolDirectory)[0], new byte[10], Token);

        var e = await Assert.ThrowsAsync<ImageCopyException>(
            () => image.CopyAsync(new MemoryTarget(), "sha256", new RecordedProgress(), Token));

        Assert.Equal(CopySide.Source, e.Side);
    }

    [Fact]
    public async Task A_store_that_fails_is_the_destinations_failure()
    {
        await using NbdServer server = await ServeAsync();
        await using DiskImage image = await OpenAsync(server);
        await image.PrepareAsync(new RecordedProgress(), Token);
        var sink = new ScriptedSink((_, _) => ValueTask.FromException(new IOException("broken pipe")));

        var e = await Assert.ThrowsAsync<ImageCopyException>(
            () => ((OrderedImage)image).CopyToAsync(sink, new RecordedProgress(), Token));

        Assert.Equal(CopySide.Destination, e.Side);
    }

    public void Dispose()
    {
        _journal.Dispose();
        _scratch.Dispose();
    }

    private static async Task<NbdServer> ServeAsync() => await NbdServer.NbdkitAsync("pattern", "4M");

    private Task<DiskImage> OpenAsync(NbdServer server)
    {
        var spool = new Spool(
            Options.Create(new NodeOptions { WorkDirectory = _scratch.FullPath, ReservedBytes = 0 }), TimeProvider.System);
        Directory.CreateDirectory(Path.Combine(_scratch.FullPath, "run"));
        var options = new ImageStreamOptions();
        return new ImageOpener(null!).OpenAsync(
            new NbdEndpoint(server.SocketPath, ""),
            new ImageSpec(ImageFormat.Qcow2, Compression.Zstd),
            file => spool.Take(file, Guid.Empty, "vda", options, _journal),
            options,
            Token);
    }

    private sealed class MemoryTarget : IImageTarget
    {
        public MemorySink Memory { get; } = new();

        public IImageSink Sink => Memory;

        public IImageFile? File => null;
    }
}
