using System.Net.Sockets;
using SnapshotApi.Linux;
using SnapshotApi.Tests.Nbd;

namespace SnapshotApi.Tests.Linux;

public sealed class UnixListenerTests : IDisposable
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly ScratchDirectory _directory = new();
    private readonly string _path;

    public UnixListenerTests() => _path = _directory.File("new/api.sock");

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void It_is_open_to_its_group_and_closed_to_others_in_a_directory_that_all_may_pass()
    {
        using var listener = UnixListener.Bind(_path, LinuxAccounts.OwnGroup);

        Assert.True(listener.HasGroup);
        Assert.Equal(
            OwnerOnly | UnixFileMode.GroupRead | UnixFileMode.GroupWrite, File.GetUnixFileMode(_path));
        Assert.Equal((LinuxAccounts.OwnUser, LinuxAccounts.OwnGroup), LinuxFile.OwnerOf(_path));
        Assert.Equal("755", Convert.ToString((int)File.GetUnixFileMode(Path.GetDirectoryName(_path)!), 8));
    }

    [Fact]
    public void Without_a_group_it_is_its_owners()
    {
        using var listener = UnixListener.Bind(_path, group: null);

        Assert.False(listener.HasGroup);
        Assert.Equal(OwnerOnly, File.GetUnixFileMode(_path));
    }

    /// <summary>Linux makes the file with the mode of the socket; this is what nobody else gets in by meanwhile.</summary>
    [Fact]
    public void A_socket_that_is_made_private_is_bound_private()
    {
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        using (var handle = new Microsoft.Win32.SafeHandles.SafeFileHandle(socket.Handle, ownsHandle: false))
        {
            File.SetUnixFileMode(handle, OwnerOnly);
        }

        string path = _directory.File("x");
        socket.Bind(new UnixDomainSocketEndPoint(path));

        Assert.Equal(OwnerOnly, File.GetUnixFileMode(path));
    }

    [Fact]
    public void The_socket_of_one_that_lives_is_not_taken_and_goes_on()
    {
        using var first = UnixListener.Bind(_path, group: null);
        first.Socket.Listen();

        Assert.Throws<SocketInUseException>(() => UnixListener.Bind(_path, group: null));
        Assert.True(Answers());
    }

    [Fact]
    public void Another_program_that_listens_there_is_not_driven_out()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(_path)!);
        using var other = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        other.Bind(new UnixDomainSocketEndPoint(_path));
        other.Listen();

        Assert.Throws<SocketInUseException>(() => UnixListener.Bind(_path, group: null));
        Assert.True(Answers());
    }

    [Fact]
    public void The_socket_of_one_that_is_dead_is_replaced()
    {
        using (var dead = UnixListener.Bind(_path, group: null))
        {
            File.Move(_path, _path + ".kept");
        }

        File.Move(_path + ".kept", _path);
        using var next = UnixListener.Bind(_path, group: null);
        next.Socket.Listen();

        Assert.True(Answers());
    }

    [Fact]
    public void What_is_no_socket_stays()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(_path)!);
        File.WriteAllText(_path, "mine");

        Assert.Contains(
            "is no socket",
            Assert.Throws<IOException>(() => UnixListener.Bind(_path, group: null)).Message,
            StringComparison.Ordinal);
        Assert.Equal("mine", File.ReadAllText(_path));
    }

    [Fact]
    public void It_goes_when_it_is_disposed()
    {
        UnixListener.Bind(_path, group: null).Dispose();

        Assert.False(File.Exists(_path));
        UnixListener.Bind(_path, group: null).Dispose();
    }

    [Fact]
    public void The_kernel_names_who_connects()
    {
        using var listener = UnixListener.Bind(_path, group: null);
        listener.Socket.Listen();
        using Socket client = Connect();
        using Socket accepted = listener.Socket.Accept();

        var peer = PeerCredentials.Of(accepted);

        Assert.Equal((Environment.ProcessId, LinuxAccounts.OwnUser), (peer.ProcessId, peer.UserId));
        Assert.Equal(LinuxAccounts.OwnGroup, peer.GroupIds[0]);
        string[] groups = File.ReadLines("/proc/self/status").Single(l => l.StartsWith("Groups:", StringComparison.Ordinal))
            .Split((char[])['\t', ' '], StringSplitOptions.RemoveEmptyEntries)[1..];
        Assert.Equal(groups, peer.GroupIds.Skip(1).Select(g => $"{g}"));
    }

    private bool Answers()
    {
        using Socket client = Connect();
        return client.Connected;
    }

    private Socket Connect()
    {
        var client = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        client.Connect(new UnixDomainSocketEndPoint(_path));
        return client;
    }
}
