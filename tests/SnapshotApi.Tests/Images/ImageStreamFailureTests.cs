using Microsoft.Extensions.Time.Testing;
using SnapshotApi.Images;
using SnapshotApi.Nbd;
using SnapshotApi.Tests.Nbd;
using SnapshotApi.Tools;

namespace SnapshotApi.Tests.Images;

public sealed class ImageStreamFailureTests
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(10);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Read_error_in_the_middle_is_the_sources()
    {
        using var scratch = new ScratchDirectory();
        string trigger = scratch.File("fail");
        await using NbdServer server = await NbdServer.NbdkitAsync(
            "--filter=error", "pattern", "200M", "error-pread=EIO", "error-pread-rate=100%", $"error-pread-file={trigger}");
        await using OrderedImage stream = await ImageStreamTests.OpenAsync(server, ImageFormat.Qcow2, new ImageStreamOptions());
        var sink = new ScriptedSink((_, _) =>
        {
            File.WriteAllText(trigger, "");
            return ValueTask.CompletedTask;
        });

        ImageCopyException error = await Assert.ThrowsAsync<ImageCopyException>(
            () => stream.CopyToAsync(sink, new RecordedProgress(), Token));

        Assert.Equal(CopySide.Source, error.Side);
        Assert.Equal("reading the disk failed: Input/output error", error.Message);
        Assert.IsType<NbdRequestException>(error.InnerException);
        Assert.True(sink.LengthBytes < stream.LengthBytes);
    }

    [Fact]
    public async Task Server_that_dies_in_the_middle_is_the_sources()
    {
        await using NbdServer server = await NbdServer.NbdkitAsync("pattern", "200M");
        await using OrderedImage stream = await ImageStreamTests.OpenAsync(server, ImageFormat.Raw, new ImageStreamOptions());
        var sink = new ScriptedSink((_, _) =>
        {
            server.Kill();
            return ValueTask.CompletedTask;
        });

        ImageCopyException error = await Assert.ThrowsAsync<ImageCopyException>(
            () => stream.CopyToAsync(sink, new RecordedProgress(), Token));

        Assert.Equal(CopySide.Source, error.Side);
        Assert.IsType<NbdProtocolException>(error.InnerException);
    }

    [Theory]
    [InlineData(ImageFormat.Qcow2)]
    [InlineData(ImageFormat.Raw)]
    internal async Task Write_error_is_the_destinations_and_keeps_its_cause(ImageFormat format)
    {
        await using NbdServer server = await NbdServer.NbdkitAsync("pattern", "200M");
        await using OrderedImage stream = await ImageStreamTests.OpenAsync(server, format, new ImageStreamOptions());
        var full = new IOException("no space left on device");
        var sink = new ScriptedSink((length, _) => length < 50 << 20 ? ValueTask.CompletedTask : ValueTask.FromException(full));

        ImageCopyException error = await Assert.ThrowsAsync<ImageCopyException>(
            () => stream.CopyToAsync(sink, new RecordedProgress(), Token));

        Assert.Equal(CopySide.Destination, error.Side);
        Assert.Same(full, error.InnerException);
    }

    [Fact]
    public async Task Sinks_own_time_out_is_no_cancellation()
    {
        await using NbdServer server = await NbdServer.NbdkitAsync("pattern", "1M");
        await using OrderedImage stream = await ImageStreamTests.OpenAsync(server, ImageFormat.Raw, new ImageStreamOptions());
        var sink = new ScriptedSink((_, _) => ValueTask.FromException(new TaskCanceledException("the upload timed out")));

        ImageCopyException error = await Assert.ThrowsAsync<ImageCopyException>(
            () => stream.CopyToAsync(sink, new RecordedProgress(), Token));

        Assert.Equal(CopySide.Destination, error.Side);
    }

    [Fact]
    public async Task First_failure_wins_although_the_sink_fails_in_its_wake()
    {
        await using NbdServer server = await NbdServer.NbdkitAsync("pattern", "200M");
        await using OrderedImage stream = await ImageStreamTests.OpenAsync(server, ImageFormat.Raw, new ImageStreamOptions());
        var sink = new ScriptedSink(async (_, cancellationToken) =>
        {
            server.Kill();
            await Task.Delay(500, cancellationToken);
            throw new IOException("broken pipe");
        });

        ImageCopyException error = await Assert.ThrowsAsync<ImageCopyException>(
            () => stream.CopyToAsync(sink, new RecordedProgress(), Token));

        Assert.Equal(CopySide.Source, error.Side);
    }

    [Fact]
    public async Task Stalled_server_is_a_time_out_of_the_source()
    {
        var time = new FakeTimeProvider();
        var options = new ImageStreamOptions { TimeProvider = time, StallTimeout = TimeSpan.FromSeconds(60) };
        await using NbdServer server = await NbdServer.NbdkitAsync("--filter=delay", "pattern", "10M", "rdelay=600");
        await using OrderedImage stream = await ImageStreamTests.OpenAsync(server, ImageFormat.Raw, options);
        Task copy = stream.CopyToAsync(new MemorySink(), new RecordedProgress(), Token);

        ImageStalledException error = await Assert.ThrowsAsync<ImageStalledException>(() => AdvanceUntilDoneAsync(time, copy));

        Assert.Equal(CopySide.Source, error.Side);
        Assert.Equal("reading the disk stood still for 60 s", error.Message);
    }

    [Fact]
    public async Task Stalled_sink_is_a_time_out_of_the_destination()
    {
        var time = new FakeTimeProvider();
        var options = new ImageStreamOptions { TimeProvider = time, StallTimeout = TimeSpan.FromSeconds(60) };
        await using NbdServer server = await NbdServer.NbdkitAsync("pattern", "100M");
        await using OrderedImage stream = await ImageStreamTests.OpenAsync(server, ImageFormat.Raw, options);
        var sink = new ScriptedSink(async (_, cancellationToken) => await Task.Delay(Timeout.Infinite, cancellationToken));
        Task copy = stream.CopyToAsync(sink, new RecordedProgress(), Token);

        ImageStalledException error = await Assert.ThrowsAsync<ImageStalledException>(() => AdvanceUntilDoneAsync(time, copy));

        Assert.Equal(CopySide.Destination, error.Side);
    }

    [Fact]
    public async Task Server_that_never_answers_is_a_time_out_while_planning()
    {
        var time = new FakeTimeProvider();
        var options = new ImageStreamOptions { TimeProvider = time, StallTimeout = TimeSpan.FromSeconds(60) };
        await using NbdServer server = await NbdServer.NbdkitAsync("--filter=delay", "memory", "10M", "delay-open=600");
        Task<OrderedImage> opening = ImageStreamTests.OpenAsync(server, ImageFormat.Raw, options);

        ImageStalledException error = await Assert.ThrowsAsync<ImageStalledException>(() => AdvanceUntilDoneAsync(time, opening));

        Assert.Equal(CopySide.Source, error.Side);
    }

    [Fact]
    public async Task Slow_copy_that_moves_never_stalls()
    {
        var time = new FakeTimeProvider();
        var options = new ImageStreamOptions { TimeProvider = time, StallTimeout = TimeSpan.FromSeconds(60) };
        await using NbdServer server = await NbdServer.NbdkitAsync("pattern", "20M");
        await using OrderedImage stream = await ImageStreamTests.OpenAsync(server, ImageFormat.Raw, options);
        var sink = new ScriptedSink((_, _) =>
        {
            time.Advance(TimeSpan.FromSeconds(40));
            return ValueTask.CompletedTask;
        });

        await stream.CopyToAsync(sink, new RecordedProgress(), Token);

        Assert.Equal(20 << 20, sink.LengthBytes);
    }

    [Fact]
    public async Task Cancellation_ends_a_copy_from_a_stalled_server()
    {
        await using NbdServer server = await NbdServer.NbdkitAsync("--filter=delay", "pattern", "10M", "rdelay=600");
        await using OrderedImage stream = await ImageStreamTests.OpenAsync(server, ImageFormat.Qcow2, new ImageStreamOptions());
        using var cancel = new CancellationTokenSource();
        Task copy = stream.CopyToAsync(new MemorySink(), new RecordedProgress(), cancel.Token);

        await cancel.CancelAsync();
        OperationCanceledException error = await Assert.ThrowsAnyAsync<OperationCanceledException>(() => copy.WaitAsync(Soon, Token));

        Assert.Equal(cancel.Token, error.CancellationToken);
    }

    [Fact]
    public async Task Cancellation_in_the_middle_ends_the_copy()
    {
        await using NbdServer server = await NbdServer.NbdkitAsync("pattern", "1G");
        await using OrderedImage stream = await ImageStreamTests.OpenAsync(server, ImageFormat.Qcow2, new ImageStreamOptions());
        using var cancel = new CancellationTokenSource();
        var sink = new ScriptedSink(async (length, _) =>
        {
            if (length > 50 << 20)
            {
                await cancel.CancelAsync();
            }
        });

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => stream.CopyToAsync(sink, new RecordedProgress(), cancel.Token));

        Assert.True(sink.LengthBytes < 60 << 20);
    }

    [Fact]
    public async Task Cancellation_ends_the_planning()
    {
        await using NbdServer server = await NbdServer.NbdkitAsync("--filter=delay", "memory", "10M", "delay-open=600");
        using var cancel = new CancellationTokenSource();
        Task<DiskImage> opening = ImageStreamTests.OpenAsync(
            new NbdEndpoint(server.SocketPath, ""), ImageFormat.Raw, new ImageStreamOptions(), cancel.Token);

        await cancel.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => opening.WaitAsync(Soon, Token));
    }

    [Fact]
    public async Task Missing_socket_is_the_sources_and_its_path_is_not_told()
    {
        ImageCopyException error = await Assert.ThrowsAsync<ImageCopyException>(() => ImageStreamTests.OpenAsync(
            new NbdEndpoint("/nonexistent/nbd.sock", ""), ImageFormat.Raw, new ImageStreamOptions(), Token));

        Assert.Equal(CopySide.Source, error.Side);
        Assert.Equal("reaching the disk failed: No such file or directory", error.Message);
    }

    [Fact]
    public async Task Empty_disk_is_refused()
    {
        await using NbdServer server = await NbdServer.NbdkitAsync("memory", "0");

        ImageCopyException error = await Assert.ThrowsAsync<ImageCopyException>(
            () => ImageStreamTests.OpenAsync(server, ImageFormat.Qcow2, new ImageStreamOptions()));

        Assert.Equal("the disk has no bytes", error.Message);
    }

    private static async Task AdvanceUntilDoneAsync(FakeTimeProvider time, Task work)
    {
        while (!work.IsCompleted)
        {
            time.Advance(TimeSpan.FromSeconds(15));
            await Task.WhenAny(work, Task.Delay(10, Token));
        }

        await work;
    }
}
