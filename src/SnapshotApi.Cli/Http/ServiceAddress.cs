using System.Net.Sockets;

namespace SnapshotApi.Cli.Http;

/// <summary>Where the service is: at a URL, or at a unix socket of this host.</summary>
/// <param name="Url">For a socket the host of it means nothing.</param>
/// <param name="SocketPath">Path of the socket; null: the URL says it all.</param>
internal sealed record ServiceAddress(Uri Url, string? SocketPath)
{
    /// <summary>Where the socket of a service is that nobody has configured.</summary>
    public const string UsualSocket = "/run/snapshotapi/api.sock";

    /// <summary>Where that of an API without a node is, as its unit has it.</summary>
    public const string ApiSocket = "/run/snapshotapi-api/api.sock";

    /// <summary>Where such a service also listens.</summary>
    public const string UsualUrl = "http://127.0.0.1:5080";

    /// <summary>The group whose members may use the socket.</summary>
    private const string Group = "snapshotapi";

    private const string SocketScheme = "unix:";

    /// <summary>What else is to be said when nobody answers; null: nothing.</summary>
    public string? Hint { get; private init; }

    // A user whom no directory knows has no name.
    private static string UserName => Environment.UserName is { Length: > 0 } name ? name : "USER";

    /// <summary>How messages name it.</summary>
    public string Name => SocketPath is null ? Url.ToString() : SocketScheme + SocketPath;

    /// <summary>The address that a text means; null when it is none.</summary>
    public static ServiceAddress? Parse(string text)
    {
        if (text.StartsWith(SocketScheme, StringComparison.Ordinal))
        {
            return text[SocketScheme.Length..] is ['/', ..] path ? OfSocket(path) : null;
        }

        return Uri.TryCreate(text, UriKind.Absolute, out Uri? url) && url.Scheme is "http" or "https"
            ? new ServiceAddress(url, null)
            : null;
    }

    /// <summary>
    /// Looks for the service of this host: at its socket, where somebody listens there and lets this user in, else at
    /// the usual URL.
    /// </summary>
    /// <param name="sockets">Paths of the socket; the first that is there counts.</param>
    /// <param name="needsNoPeer">There is a key to ask with at the URL, or none is needed.</param>
    public static async Task<ServiceAddress> FindAsync(
        IReadOnlyList<string> sockets, bool needsNoPeer, CancellationToken cancellationToken)
    {
        var usual = new ServiceAddress(new Uri(UsualUrl), null);
        if (sockets.FirstOrDefault(File.Exists) is not { } socket)
        {
            return usual with { Hint = $"there is no socket {sockets[0]} either" };
        }

        try
        {
            using Socket probe = await ConnectAsync(socket, cancellationToken).ConfigureAwait(false);
            return OfSocket(socket);
        }
        catch (SocketException e)
        {
            // Who may not use the socket, and has no key, is better told that than that a key is missing. Where the
            // service has just died its port may be somebody else's, who would get the key.
            return e.SocketErrorCode == SocketError.ConnectionRefused || (IsDenied(e) && !needsNoPeer)
                ? OfSocket(socket)
                : usual with { Hint = $"at {SocketScheme}{socket}: {e.Message}" };
        }
    }

    /// <summary>Connects to the socket.</summary>
    public async ValueTask<Stream> OpenAsync(CancellationToken cancellationToken) => new NetworkStream(
        await ConnectAsync(SocketPath!, cancellationToken).ConfigureAwait(false), ownsSocket: true);

    /// <summary>Why the service can't be reached, and what helps.</summary>
    public string Explain(HttpRequestException failure)
    {
        string reason = failure.InnerException?.Message ?? failure.Message;
        return SocketPath is null ? $"cannot reach {Name}: {reason}{(Hint is null ? string.Empty : $"; {Hint}")}"
            : IsDenied(failure)
                ? $"you may not use {Name}, for you are not in the group {Group}: as root, 'usermod -aG {Group} "
                    + $"{UserName}', then log in anew; or ask with a key, at --url {UsualUrl}"
            : failure.InnerException is SocketException { SocketErrorCode: SocketError.ConnectionRefused }
                ? $"cannot reach {Name}: nobody listens there; is the service running?"
            : $"cannot reach {Name}: {reason}";
    }

    /// <summary>This user may not use the socket.</summary>
    public bool IsDenied(HttpRequestException failure) =>
        SocketPath is not null && failure.InnerException is SocketException e && IsDenied(e);

    private static bool IsDenied(SocketException e) => e.SocketErrorCode == SocketError.AccessDenied;

    private static ServiceAddress OfSocket(string path) => new(new Uri("http://localhost"), path);

    private static async Task<Socket> ConnectAsync(string path, CancellationToken cancellationToken)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancellationToken).ConfigureAwait(false);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
