using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using SnapshotApi.Linux;

namespace SnapshotApi.Api;

/// <summary>Where the service listens: at its addresses, and at its socket.</summary>
internal static class Listening
{
    /// <summary>Takes the socket, and tells Kestrel all addresses.</summary>
    public static void AddListening(this WebApplicationBuilder builder, ServiceOptions service)
    {
        SocketOptions options = OptionsSection.Bind<SocketOptions>(builder.Configuration, SocketOptions.Section);
        string path = service.Role == ServiceRole.Migrate ? string.Empty : options.PathFor(service.Role);
        ServiceSocket socket = path.Length == 0 ? ServiceSocket.None : ServiceSocket.Take(path, options.Group);

        // A factory: what it makes is disposed with the service.
        builder.Services.AddSingleton(_ => socket);
        builder.Services.Configure<SocketTransportOptions>(
            transport => transport.CreateBoundListenSocket = endPoint => socket.Bind(endPoint));
        string url = $"http://unix:{path}";
        bool hasEndpoints = ListenAddress.HasEndpoints(builder.Configuration);
        string[] others = hasEndpoints ? [] : ListenAddress.Split(service.Urls);

        // Without the socket the service goes on where it listens elsewhere, and fails where it does not.
        bool isAlone = others.Length == 0 && !hasEndpoints;
        string[] own = path.Length > 0 && (socket.Problem is null || isAlone) ? [url] : [];
        if (own.Length > 0 && builder.Configuration[nameof(ServiceOptions.Urls)] is null)
        {
            // Whoever is at the address that nobody asked for must not keep the service from its socket.
            socket.LostUrls = [.. others.Where(ListenAddress.IsTaken)];
            others = [.. others.Except(socket.LostUrls)];
        }

        if (!hasEndpoints)
        {
            builder.WebHost.UseUrls([.. others, .. own]);
        }
        else if (own.Length > 0)
        {
            builder.Configuration.AddInMemoryCollection(
                [KeyValuePair.Create("Kestrel:Endpoints:SnapshotApiSocket:Url", (string?)url)]);
        }
    }
}

/// <summary>The service's socket.</summary>
/// <param name="Path">Empty: it has none.</param>
/// <param name="Problem">Why there is none; null: there is, or somebody else has it, which fails the start.</param>
/// <param name="Remark">Who can't use it although they should; null: nobody.</param>
internal sealed record ServiceSocket(string Path, string? Problem, string? Remark) : IDisposable
{
    private UnixListener? _listener;

    public static ServiceSocket None { get; } = new(string.Empty, null, null);

    /// <summary>Addresses at which the service would listen too, and another process listens.</summary>
    public IReadOnlyList<string> LostUrls { get; set; } = [];

    /// <summary>Binds the socket. Where that is not possible the service may do without it, and says so.</summary>
    public static ServiceSocket Take(string path, string group)
    {
        // A process of root's, or of a group of its own, needs no other group to keep strangers out.
        uint? found = LinuxAccounts.FindGroup(group);
        uint? allowed = found ?? (LinuxAccounts.OwnUser == 0 ? 0u : null);
        try
        {
            var listener = UnixListener.Bind(path, allowed);
            string? remark = listener.HasGroup || found is null
                ? null
                : $"only for root and for the service's own user, which may not give it to the group {group}";
            return new ServiceSocket(path, null, remark) { _listener = listener };
        }
        catch (SocketInUseException)
        {
            return new ServiceSocket(path, null, null);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return new ServiceSocket(path, e.Message, null);
        }
    }

    /// <summary>The socket for an address: this one, or one of Kestrel's.</summary>
    /// <exception cref="IOException">There is none.</exception>
    public Socket Bind(EndPoint endPoint) =>
        endPoint is not UnixDomainSocketEndPoint || endPoint.ToString() != Path
            ? SocketTransportOptions.CreateDefaultBoundListenSocket(endPoint)
            : _listener?.Socket ?? throw new IOException(Problem is null
                ? $"another process listens at {Path}: stop it, or set Socket:Path to another path for one of the two"
                : $"the socket {Path} can't be made, and the service listens nowhere else: {Problem}");

    public void Dispose() => _listener?.Dispose();
}
