using SnapshotApi.Nbd;

namespace SnapshotApi.Tests.Nbd;

public sealed class NbdReaderTests
{
    private const int EIO = 5;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Reads_in_flight_each_fill_their_own_part()
    {
        await using NbdServer server = await NbdServer.NbdkitAsync("pattern", "1G");
        using var buffer = new NbdBuffer(64 * 65536);
        using NbdConnection connection = NbdConnection.ConnectUnix(server.SocketPath, "", true, Token);
        var reader = new NbdReader(connection, 16);
        int submitted = 0;
        HashSet<int> done = [];

        while (done.Count < 64)
        {
            while (reader.CanSubmit && submitted < 64)
            {
                reader.Submit(Offset(submitted), buffer, submitted * 65536, 65536, submitted);
                submitted++;
            }

            reader.Wait(Timeout.InfiniteTimeSpan);
            while (reader.TryTake(out NbdReadResult result))
            {
                Assert.Null(result.Error);
                Assert.True(done.Add(result.Tag));
            }
        }

        Assert.Equal(0, reader.InFlight);
        for (int i = 0; i < 64; i++)
        {
            NbdConnectionTests.AssertPattern(buffer.GetSpan().Slice(i * 65536, 65536), Offset(i));
        }

        static long Offset(int index) => index * 13L * 1024 * 1024;
    }

    [Fact]
    public async Task Parallel_connections_read_the_right_bytes()
    {
        await using NbdServer server = await NbdServer.NbdkitAsync("pattern", "64M");

        Task[] readers = [.. Enumerable.Range(0, 4).Select(index => Task.Factory.StartNew(
            () => ReadQuarter(server.SocketPath, index),
            Token,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default))];

        await Task.WhenAll(readers);

        static void ReadQuarter(string socketPath, int index)
        {
            using NbdConnection connection = NbdConnection.ConnectUnix(socketPath, "", false, Token);
            byte[] bytes = new byte[256 * 1024];
            for (long offset = index * 16L << 20; offset < (index + 1) * 16L << 20; offset += bytes.Length)
            {
                connection.Read(offset, bytes, Token);
                NbdConnectionTests.AssertPattern(bytes, offset);
            }
        }
    }

    [Fact]
    public async Task Failed_read_does_not_disturb_the_others()
    {
        using var scratch = new ScratchDirectory();
        string disk = scratch.File("disk.raw");
        await QemuTool.ImgAsync("create", "-f", "raw", disk, "1M");
        await QemuTool.IoAsync(disk, "raw", "write -P 7 0 1M");
        await using NbdServer server = await NbdServer.NbdkitAsync("eval",
            "get_size=echo 1048576",
            $"pread=if [ $4 -eq 65536 ]; then echo 'EIO bad sector' >&2; exit 1; fi; dd if={disk} skip=$4 count=$3 iflag=count_bytes,skip_bytes status=none");
        using var buffer = new NbdBuffer(3 * 65536);
        using NbdConnection connection = NbdConnection.ConnectUnix(server.SocketPath, "", false, Token);
        var reader = new NbdReader(connection, 3);
        NbdException?[] errors = new NbdException?[3];

        for (int i = 0; i < 3; i++)
        {
            reader.Submit(i * 65536, buffer, i * 65536, 65536, i);
        }

        while (reader.InFlight > 0)
        {
            reader.Wait(Timeout.InfiniteTimeSpan);
            while (reader.TryTake(out NbdReadResult result))
            {
                errors[result.Tag] = result.Error;
            }
        }

        Assert.Null(errors[0]);
        Assert.Equal(EIO, Assert.IsType<NbdRequestException>(errors[1]).Errno);
        Assert.Null(errors[2]);
        Assert.Equal(7, buffer.GetSpan()[2 * 65536]);
    }

    [Fact]
    public async Task Wake_ends_a_wait()
    {
        await using NbdServer server = await NbdServer.NbdkitAsync("memory", "1M");
        using NbdConnection connection = NbdConnection.ConnectUnix(server.SocketPath, "", false, Token);
        var reader = new NbdReader(connection, 1);

        connection.Wake();
        bool moved = reader.Wait(Timeout.InfiniteTimeSpan);

        Assert.False(moved);
    }

    [Fact]
    public async Task More_reads_than_the_capacity_are_refused()
    {
        await using NbdServer server = await NbdServer.NbdkitAsync("--filter=delay", "memory", "1M", "rdelay=60");
        using var buffer = new NbdBuffer(8192);
        using NbdConnection connection = NbdConnection.ConnectUnix(server.SocketPath, "", false, Token);
        var reader = new NbdReader(connection, 1);
        reader.Submit(0, buffer, 0, 4096, 0);

        Assert.Throws<InvalidOperationException>(() => reader.Submit(0, buffer, 4096, 4096, 1));

        connection.Dispose();
    }

    [Fact]
    public async Task Reads_outside_the_buffer_are_refused()
    {
        await using NbdServer server = await NbdServer.NbdkitAsync("memory", "1M");
        using var buffer = new NbdBuffer(4096);
        using NbdConnection connection = NbdConnection.ConnectUnix(server.SocketPath, "", false, Token);
        var reader = new NbdReader(connection, 1);

        Assert.Throws<ArgumentOutOfRangeException>(() => reader.Submit(0, buffer, 1, 4096, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => reader.Submit(0, buffer, -1, 16, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => reader.Submit(0, buffer, int.MaxValue, 16, 0));
    }
}
