using System.Net.Sockets;
using Microsoft.Win32.SafeHandles;

namespace SnapshotApi.Linux;

/// <summary>
/// A unix socket at a path, bound but not yet listening, to which its owner and one group may connect, and nobody else
/// at any time. A lock beside it tells the socket of a process that is dead from that of one that lives.
/// </summary>
public sealed class UnixListener : IDisposable
{
    /// <summary>Bytes of the longest path: unix(7) has 108, with a zero at the end.</summary>
    public const int LongestPathBytes = 107;

    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const UnixFileMode OwnerAndGroup = OwnerOnly | UnixFileMode.GroupRead | UnixFileMode.GroupWrite;
    private const UnixFileMode OpenDirectory = LinuxFile.PrivateDirectory
        | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;

    // EWOULDBLOCK of flock(2), which FileShare.None is.
    private const int Locked = Errno.EAGAIN;

    private readonly FileStream _lock;

    private UnixListener(FileStream held, Socket socket, bool hasGroup) =>
        (_lock, Socket, HasGroup) = (held, socket, hasGroup);

    /// <summary>The bound socket. Disposing it takes its file away.</summary>
    public Socket Socket { get; }

    /// <summary>The group may connect. False: none was named, or this process may not give files to it.</summary>
    public bool HasGroup { get; }

    /// <summary>Binds the socket; the directory is made, with mode 0755, when it is missing.</summary>
    /// <param name="group">The group that may connect; null: nobody but the owner.</param>
    /// <exception cref="SocketInUseException">Another process has it.</exception>
    /// <exception cref="IOException">Something else is at the path, or the file system refuses.</exception>
    /// <exception cref="UnauthorizedAccessException">This process may not write there.</exception>
    public static UnixListener Bind(string path, uint? group)
    {
        MakeDirectory(Path.GetDirectoryName(path)!);
        FileStream held = TakeLock(path + ".lock");
        try
        {
            RemoveStale(path);
            (Socket socket, bool hasGroup) = BindFor(path, group);
            return new UnixListener(held, socket, hasGroup);
        }
        catch (SocketException e)
        {
            held.Dispose();
            throw new IOException($"bind {path}: {e.Message}", e);
        }
        catch
        {
            held.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        Socket.Dispose();
        _lock.Dispose();
    }

    // Others must pass through it, whatever the umask is.
    private static void MakeDirectory(string path)
    {
        if (!Directory.Exists(path))
        {
            Directory.CreateDirectory(path);
            File.SetUnixFileMode(path, OpenDirectory);
        }
    }

    // It stays when the process ends: whoever deletes a lock may delete that of the next one.
    private static FileStream TakeLock(string path)
    {
        try
        {
            return new FileStream(path, new FileStreamOptions
            {
                Mode = FileMode.OpenOrCreate,
                Access = FileAccess.ReadWrite,
                Share = FileShare.None,
                UnixCreateMode = OwnerOnly,
            });
        }
        catch (IOException e) when (e.HResult == Locked)
        {
            throw new SocketInUseException();
        }
    }

    private static void RemoveStale(string path)
    {
        if (FileIdentity.Find(path) is not { } found)
        {
            return;
        }

        if (!found.IsSocket)
        {
            throw new IOException($"{path} is there, and is no socket");
        }

        // The lock is ours, so it is none of our kind that listens; it may be another program.
        using var probe = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            probe.Connect(new UnixDomainSocketEndPoint(path));
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionRefused)
        {
            File.Delete(path);
            return;
        }

        throw new SocketInUseException();
    }

    // Linux gives the file the mode of the socket, less the umask: nobody else may connect from the first moment on.
    private static (Socket Socket, bool HasGroup) BindFor(string path, uint? group)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            using (var handle = new SafeFileHandle(socket.Handle, ownsHandle: false))
            {
                File.SetUnixFileMode(handle, OwnerOnly);
            }

            socket.Bind(new UnixDomainSocketEndPoint(path));
            return (socket, group is { } given && TryOpenTo(given, path));
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    // The group first: with the mode first, the group of the directory or process would get in for a moment.
    private static bool TryOpenTo(uint group, string path)
    {
        // The unit of the API may change no owner, and runs with the right group already.
        if (LinuxFile.OwnerOf(path).Group != group && !LinuxFile.TryChangeGroup(path, group))
        {
            return false;
        }

        File.SetUnixFileMode(path, OwnerAndGroup);
        return true;
    }
}

/// <summary>Another process listens at a unix socket.</summary>
public sealed class SocketInUseException : IOException
{
    public SocketInUseException()
        : base("another process listens there")
    {
    }
}
