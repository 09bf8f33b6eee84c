using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace SnapshotApi.Linux;

/// <summary>
/// Who is at the other end of a connected unix socket: as the kernel noted it when they connected, so that nobody can
/// claim to be somebody else. https://man7.org/linux/man-pages/man7/unix.7.html
/// </summary>
/// <param name="ProcessId">Their process; 0 when it lives in another PID namespace.</param>
/// <param name="UserId">65534 for a user whom this process' user namespace does not know.</param>
/// <param name="GroupIds">Their group, and their supplementary groups.</param>
public sealed record PeerCredentials(int ProcessId, uint UserId, IReadOnlyList<uint> GroupIds)
{
    // asm-generic/socket.h
    private const int SOL_SOCKET = 1;
    private const int SO_PEERCRED = 17;
    private const int SO_PEERGROUPS = 59;

    // linux/limits.h: NGROUPS_MAX
    private const int MostGroups = 65536;

    // Few users are in more.
    private const int UsualGroups = 64;

    /// <exception cref="SocketException">It is no unix socket, or it is not connected.</exception>
    public static PeerCredentials Of(Socket socket)
    {
        // struct ucred: pid, uid, gid
        Span<byte> credentials = stackalloc byte[3 * sizeof(int)];
        socket.GetRawSocketOption(SOL_SOCKET, SO_PEERCRED, credentials);
        ReadOnlySpan<uint> numbers = MemoryMarshal.Cast<byte, uint>(credentials);
        return new PeerCredentials((int)numbers[0], numbers[1], [numbers[2], .. SupplementaryGroups(socket)]);
    }

    private static uint[] SupplementaryGroups(Socket socket)
    {
        var groups = new byte[UsualGroups * sizeof(uint)];
        try
        {
            return Groups(groups, socket.GetRawSocketOption(SOL_SOCKET, SO_PEERGROUPS, groups));
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.SocketError)
        {
            // ERANGE, for which .NET has no name.
            groups = new byte[MostGroups * sizeof(uint)];
            return Groups(groups, socket.GetRawSocketOption(SOL_SOCKET, SO_PEERGROUPS, groups));
        }
    }

    private static uint[] Groups(byte[] bytes, int length) =>
        MemoryMarshal.Cast<byte, uint>(bytes.AsSpan(0, length)).ToArray();
}
