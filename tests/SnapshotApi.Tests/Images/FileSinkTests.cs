using Microsoft.Win32.SafeHandles;
using SnapshotApi.Errors;
using SnapshotApi.Images;

namespace SnapshotApi.Tests.Images;

public sealed class FileSinkTests : IDisposable
{
    private readonly string _path = Path.GetTempFileName();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_device_that_is_full_is_no_space()
    {
        using var sink = Sink(File.OpenHandle("/dev/full", FileMode.Open, FileAccess.Write), 0);

        var e = await Assert.ThrowsAsync<SnapshotException>(async () => await sink.WriteAsync(new byte[4096], Token));

        Assert.Equal((SnapshotErrorCode.NoSpace, "the store is full"), (e.Code, e.Message));
    }

    [Fact]
    public async Task A_length_that_the_file_system_refuses_is_an_error_of_the_store()
    {
        using var sink = Sink(File.OpenHandle(_path, FileMode.Open, FileAccess.Write), long.MaxValue);

        var e = await Assert.ThrowsAsync<SnapshotException>(() => sink.CompleteAsync(Token));

        Assert.Equal(SnapshotErrorCode.StoreFailed, e.Code);
        Assert.StartsWith("the image can't be written in the store", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_handle_that_can_not_be_written_is_an_error_of_the_store()
    {
        using var sink = Sink(File.OpenHandle(_path, FileMode.Open, FileAccess.Read), 4096);

        Assert.Equal(SnapshotErrorCode.StoreFailed, (await Assert.ThrowsAsync<SnapshotException>(() => sink.CompleteAsync(Token))).Code);
        Assert.Equal(SnapshotErrorCode.StoreFailed, Assert.Throws<SnapshotException>(() => sink.SetLength(1)).Code);
        var write = await Assert.ThrowsAsync<SnapshotException>(async () => await sink.WriteAtAsync(0, new byte[1], Token));
        Assert.Equal(SnapshotErrorCode.StoreFailed, write.Code);
    }

    public void Dispose() => File.Delete(_path);

    private FileSink Sink(SafeFileHandle file, long lengthBytes) => new(file, _path, lengthBytes, "the store", SnapshotErrorCode.StoreFailed);
}
