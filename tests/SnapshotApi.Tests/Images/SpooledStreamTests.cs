using System.Security.Cryptography;
using SnapshotApi.Images;
using SnapshotApi.Tests.Nbd;

namespace SnapshotApi.Tests.Images;

public sealed class SpooledStreamTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(3_000_001)]
    public async Task The_file_is_sent_as_it_is_and_as_often_as_it_takes(int length)
    {
        using var scratch = new ScratchDirectory();
        byte[] bytes = RandomNumberGenerator.GetBytes(length);
        await File.WriteAllBytesAsync(scratch.File("image"), bytes, Token);
        var stream = new SpooledStream(new Planned(), scratch.File("image"), new ImageStreamOptions());

        for (int i = 0; i < 2; i++)
        {
            var sink = new MemorySink();
            await stream.CopyToAsync(sink, new RecordedProgress(), Token);
            Assert.Equal(bytes, sink.Bytes);
        }

        Assert.Equal((length, 4711), (stream.LengthBytes, stream.VirtualSizeBytes));
    }

    [Fact]
    public async Task A_file_that_became_shorter_is_the_sources_failure()
    {
        using var scratch = new ScratchDirectory();
        await File.WriteAllBytesAsync(scratch.File("image"), new byte[5000], Token);
        var stream = new SpooledStream(new Planned(), scratch.File("image"), new ImageStreamOptions());
        await File.WriteAllBytesAsync(scratch.File("image"), new byte[10], Token);

        var e = await Assert.ThrowsAsync<ImageCopyException>(() => stream.CopyToAsync(new MemorySink(), new RecordedProgress(), Token));

        Assert.Equal(CopySide.Source, e.Side);
    }

    private sealed class Planned : IDiskImage
    {
        public ImageFormat Format => ImageFormat.Vmdk;

        public long VirtualSizeBytes => 4711;

        public long LengthBytes => 1;

        public long DataBytes => 1;

        public string? Finding => null;

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
