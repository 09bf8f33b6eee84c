using System.Buffers.Binary;
using System.Net.Sockets;
using SnapshotApi.Nbd;

namespace SnapshotApi.Tests.Nbd;

public sealed class NbdConnectionTests
{
    private const long MiB = 1024 * 1024;
    private const int EIO = 5;
    private const int ENOENT = 2;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Handshake_tells_size_and_abilities()
    {
        await using NbdServer server = await NbdServer.NbdkitAsync("--readonly", "memory", "10M");

        using NbdConnection connection = NbdConnection.ConnectUnix(server.SocketPath, "", true, Token);

        Assert.Equal(10 * MiB, connection.SizeBytes);
        Assert.True(connection.CanMultiConn);
        Assert.True(connection.CanBlockStatus);
    }

    [Fact]
    public async Task Handshake_without_block_status_leaves_it_out()
    {
        await using NbdServer server = await NbdServer.NbdkitAsync("memory", "1M");

        using NbdConnection connection = NbdConnection.ConnectUnix(server.SocketPath, "", false, Token);

        Assert.False(connection.CanBlockStatus);
        Assert.Throws<NbdUnsupportedException>(() => connection.BlockStatus(0, MiB, Token));
    }

    [Fact]
    public async Task Block_sizes_are_those_of_the_server()
    {
        await using NbdServer server = await NbdServer.NbdkitAsync(
            "--filter=blocksize-policy", "memory", "1M", "blocksize-minimum=4k", "blocksize-preferred=64k",
            "blocksize-maximum=1M");

        using NbdConnection connection = NbdConnection.ConnectUnix(server.SocketPath, "", true, Token);

        Assert.Equal(MiB, connection.MaximumRequestBytes);
    }

    [Fact]
    public async Task Read_returns_the_bytes_of_the_offset()
    {
        await using NbdServer server = await NbdServer.NbdkitAsync("pattern", "1G");
        using NbdConnection connection = NbdConnection.ConnectUnix(server.SocketPath, "", true, Token);
        byte[] bytes = new byte[3 * 4096];

        connection.Read(700 * MiB, bytes, Token);

        AssertPattern(bytes, 700 * MiB);
    }

    [Fact]
    public async Task Block_status_of_a_sparse_qcow2_finds_data_and_holes()
    {
        using var scratch = new ScratchDirectory();
        string disk = scratch.File("disk.qcow2");
        await QemuTool.ImgAsync("create", "-f", "qcow2", disk, "64M");
        await QemuTool.IoAsync(disk, "qcow2", "write -P 7 1M 128k", "write -z 8M 1M");
        await using NbdServer server = await NbdServer.QemuNbdAsync(disk, "qcow2");
        using NbdConnection connection = NbdConnection.ConnectUnix(server.SocketPath, "", true, Token);

        List<NbdExtent> extents = Walk(connection);

        Assert.Equal(64 * MiB, extents.Sum(extent => extent.LengthBytes));
        Assert.Equal(
            [(MiB, 128 * 1024L)],
            extents.Where(extent => !extent.IsZero).Select(extent => (extent.OffsetBytes, extent.LengthBytes)));
        Assert.Contains(extents, extent => extent is { IsHole: true, IsZero: true, OffsetBytes: 0, LengthBytes: MiB });
    }

    [Fact]
    public async Task Block_status_never_reaches_beyond_the_part_asked_for()
    {
        await using NbdServer server = await NbdServer.NbdkitAsync("memory", "64M");
        using NbdConnection connection = NbdConnection.ConnectUnix(server.SocketPath, "", true, Token);

        IReadOnlyList<NbdExtent> extents = connection.BlockStatus(MiB, 512, Token);

        Assert.Equal([(MiB, 512L)], extents.Select(extent => (extent.OffsetBytes, extent.LengthBytes)));
    }

    [Fact]
    public async Task Failed_read_names_the_errno_and_leaves_the_connection_usable()
    {
        using var scratch = new ScratchDirectory();
        string trigger = scratch.File("fail");
        await using NbdServer server = await NbdServer.NbdkitAsync(
            "--filter=error", "pattern", "1M", "error-pread=EIO", "error-pread-rate=100%",
            $"error-pread-file={trigger}");
        using NbdConnection connection = NbdConnection.ConnectUnix(server.SocketPath, "", true, Token);
        byte[] bytes = new byte[4096];
        await File.WriteAllTextAsync(trigger, "", Token);

        NbdRequestException error = Assert.Throws<NbdRequestException>(() => connection.Read(0, bytes, Token));
        File.Delete(trigger);
        connection.Read(8192, bytes, Token);

        Assert.Equal(EIO, error.Errno);
        Assert.StartsWith("nbd_aio_command_completed: read: command failed", error.Message, StringComparison.Ordinal);
        AssertPattern(bytes, 8192);
    }

    [Fact]
    public async Task Read_outside_the_export_is_a_request_error()
    {
        await using NbdServer server = await NbdServer.NbdkitAsync("pattern", "1M");
        using NbdConnection connection = NbdConnection.ConnectUnix(server.SocketPath, "", true, Token);
        byte[] bytes = new byte[4096];

        Assert.Throws<NbdRequestException>(() => connection.Read(MiB, bytes, Token));
        connection.Read(0, bytes, Token);

        AssertPattern(bytes, 0);
    }

    [Fact]
    public async Task Server_that_dies_in_the_middle_of_a_read_is_a_protocol_error()
    {
        await using NbdServer server = await NbdServer.NbdkitAsync("--filter=delay", "pattern", "1M", "rdelay=60");
        using NbdConnection connection = NbdConnection.ConnectUnix(server.SocketPath, "", true, Token);
        Task<NbdProtocolException> reading = OnOwnThread(
            () => Assert.Throws<NbdProtocolException>(() => connection.Read(0, new byte[4096], Token)));

        server.Kill();
        NbdProtocolException error = await reading;

        Assert.NotEmpty(error.Message);
        Assert.Throws<ObjectDisposedException>(() => connection.Read(0, new byte[4096], Token));
    }

    [Fact]
    public async Task Unknown_export_is_a_protocol_error()
    {
        using var scratch = new ScratchDirectory();
        string disk = scratch.File("disk.raw");
        await QemuTool.ImgAsync("create", "-f", "raw", disk, "1M");
        await using NbdServer server = await NbdServer.QemuNbdAsync(disk, "raw", "vda");

        NbdProtocolException error = Assert.Throws<NbdProtocolException>(
            () => NbdConnection.ConnectUnix(server.SocketPath, "vdb", true, Token));

        Assert.Equal(ENOENT, error.Errno);
    }

    [Fact]
    public void Missing_socket_is_a_protocol_error()
    {
        NbdProtocolException error = Assert.Throws<NbdProtocolException>(
            () => NbdConnection.ConnectUnix("/nonexistent/nbd.sock", "", true, Token));

        Assert.Equal(ENOENT, error.Errno);
    }

    [Fact]
    public void Names_with_nul_are_refused()
    {
        Assert.Throws<ArgumentException>(() => NbdConnection.ConnectUnix("/run/a\0b", "", true, Token));
        Assert.Throws<ArgumentException>(() => NbdConnection.ConnectUnix("/run/a", "v\0da", true, Token));
    }

    [Fact]
    public async Task Cancellation_ends_a_read_that_the_server_delays()
    {
        await using NbdServer server = await NbdServer.NbdkitAsync("--filter=delay", "pattern", "1M", "rdelay=60");
        using NbdConnection connection = NbdConnection.ConnectUnix(server.SocketPath, "", true, Token);
        using var cancel = new CancellationTokenSource();
        Task<OperationCanceledException> reading = OnOwnThread(
            () => Assert.Throws<OperationCanceledException>(() => connection.Read(0, new byte[4096], cancel.Token)));

        await cancel.CancelAsync();
        OperationCanceledException error = await reading.WaitAsync(TimeSpan.FromSeconds(10), Token);

        Assert.Equal(cancel.Token, error.CancellationToken);
        Assert.Throws<ObjectDisposedException>(() => connection.Read(0, new byte[4096], Token));
    }

    [Fact]
    public async Task Cancellation_ends_a_handshake_that_the_server_never_begins()
    {
        using var scratch = new ScratchDirectory();
        using var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(scratch.File("mute.sock")));
        listener.Listen();
        using var cancel = new CancellationTokenSource();
        Task<OperationCanceledException> connecting = OnOwnThread(
            () => Assert.Throws<OperationCanceledException>(
                () => NbdConnection.ConnectUnix(scratch.File("mute.sock"), "", true, cancel.Token)));
        using Socket accepted = await listener.AcceptAsync(Token);

        await cancel.CancelAsync();

        await connecting.WaitAsync(TimeSpan.FromSeconds(10), Token);
    }

    [Fact]
    public async Task Received_count_stands_still_while_the_server_is_stalled()
    {
        await using NbdServer server = await NbdServer.NbdkitAsync("--filter=delay", "pattern", "1M", "rdelay=60");
        using NbdConnection connection = NbdConnection.ConnectUnix(server.SocketPath, "", true, Token);
        using var buffer = new NbdBuffer(4096);
        var reader = new NbdReader(connection, 1);
        reader.Submit(0, buffer, 0, 4096, 0);
        long before = connection.ReceivedCount;

        bool moved = reader.Wait(TimeSpan.FromMilliseconds(50));

        Assert.False(moved);
        Assert.Equal(before, connection.ReceivedCount);
        connection.Dispose();
    }

    internal static void AssertPattern(ReadOnlySpan<byte> bytes, long offsetBytes)
    {
        for (int i = 0; i < bytes.Length; i += 8)
        {
            long expected = offsetBytes + i;
            if (BinaryPrimitives.ReadInt64BigEndian(bytes[i..]) != expected)
            {
                Assert.Fail($"wrong bytes at {expected}");
            }
        }
    }

    private static List<NbdExtent> Walk(NbdConnection connection)
    {
        List<NbdExtent> extents = [];
        for (long offset = 0; offset < connection.SizeBytes; offset = extents[^1].OffsetBytes + extents[^1].LengthBytes)
        {
            extents.AddRange(connection.BlockStatus(offset, connection.SizeBytes - offset, Token));
        }

        return extents;
    }

    private static Task<T> OnOwnThread<T>(Func<T> call) =>
        Task.Factory.StartNew(call, Token, TaskCreationOptions.LongRunning, TaskScheduler.Default);
}
