using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using SnapshotApi.Errors;
using SnapshotApi.Hypervisor;
using SnapshotApi.Linux;
using SnapshotApi.Tools;

namespace SnapshotApi.Captures;

/// <summary>
/// Whether a server that runs could be started again: a cold capture begins only if it could. What its definition names must be there, QEMU's user must
/// reach it, networks must be active, and libvirt must know its machine.
/// </summary>
internal sealed class StartCheck(IHypervisor hypervisor, ChildProcess children)
{
    private const string SaveDirectory = "/var/lib/libvirt/qemu/save";

    // Everybody reaches that.
    private const string Root = "/";

    private static readonly bool IsInContainer = File.Exists("/.dockerenv") || File.Exists("/run/.containerenv");

    private const string HostRoot = "/proc/1/root";

    // A connection within a data centre takes milliseconds.
    private static readonly TimeSpan PeerTimeout = TimeSpan.FromSeconds(2);

    // What systemd mounts over a directory comes from one of its own.
    private static readonly string[] Hidden = ReadHidden();

    private readonly FileLooks<string?> _looks = new();

    /// <summary>The server with <see cref="ServerDescription.StartObstacle"/>: what is cheap to see, for the inventory.</summary>
    public async Task<ServerDescription> WithObstacleAsync(ServerDescription server, CancellationToken cancellationToken) =>
        server is { IsActive: true, IsPersistent: true }
            ? server with { StartObstacle = await TryFindCheaplyAsync(server, cancellationToken).ConfigureAwait(false) }
            : server;

    /// <summary>Everything, right before the guest is saved.</summary>
    /// <returns>What is missing, without paths; null: nothing.</returns>
    public async Task<string?> FindObstacleAsync(ServerDescription server, CancellationToken cancellationToken) =>
        await FindCheaplyAsync(server, cancellationToken).ConfigureAwait(false)
        ?? FindSpaceObstacle(server)
        ?? await FindMachineObstacleAsync(server, cancellationToken).ConfigureAwait(false)
        ?? await FindSilentPeerAsync(server, cancellationToken).ConfigureAwait(false)
        ?? await FindAccessObstacleAsync(server, cancellationToken).ConfigureAwait(false);

    private async Task<string?> TryFindCheaplyAsync(ServerDescription server, CancellationToken cancellationToken)
    {
        try
        {
            return await FindCheaplyAsync(server, cancellationToken).ConfigureAwait(false);
        }
        catch (SnapshotException e) when (e.Code != SnapshotErrorCode.HypervisorUnavailable)
        {
            return $"libvirt does not tell of its networks: {e.Message}";
        }
    }

    private async Task<string?> FindCheaplyAsync(ServerDescription server, CancellationToken cancellationToken)
    {
        foreach (StartNeed need in server.Needs.Where(n => n.Kind == StartNeedKind.Network))
        {
            bool? isActive = await hypervisor.IsNetworkActiveAsync(need.Name, cancellationToken).ConfigureAwait(false);
            if (isActive != true)
            {
                return $"its network '{need.Name}' {(isActive is null ? "is not defined on this node" : "is not active")}";
            }
        }

        foreach (StartNeed need in server.Needs.Where(n => n.Kind == StartNeedKind.Secret))
        {
            if (!await hypervisor.HasSecretAsync(need.Name, cancellationToken).ConfigureAwait(false))
            {
                return $"libvirt has not the secret of its {need.What} any more";
            }
        }

        if (SeesHost(server) && server.Needs.FirstOrDefault(n => n.Kind == StartNeedKind.OwnAddress && !IsOwn(n.Name)) is { } address)
        {
            return $"the address of its {address.What} is not one of this host";
        }

        if (SeesHost(server) && server.Needs.FirstOrDefault(n => n.Kind == StartNeedKind.HostInterface && !Directory.Exists($"/sys/class/net/{n.Name}")) is { } missing)
        {
            return $"the {missing.What} '{missing.Name}' is not on this host";
        }

        if (server.Disks.SelectMany(d => d.Layers.Select(l => (d.Target, l.PathObstacle))).FirstOrDefault(l => l.PathObstacle is not null) is ({ } target, { } why))
        {
            return $"disk {target} {why}";
        }

        return await FindMissingFileAsync(server, cancellationToken).ConfigureAwait(false);
    }

    private Task<string?> FindMissingFileAsync(ServerDescription server, CancellationToken cancellationToken) => _looks.RunAsync(
        server.Id, () => FindMissingFile(server), "a file system that its definition needs does not answer", cancellationToken);

    // In a container that does not even have the emulator, other files of the host are not to be seen either.
    private static bool SeesHost(ServerDescription server) =>
        !IsInContainer || server.Needs.All(n => n.Kind != StartNeedKind.Program || File.Exists(n.Name));

    private static string? FindMissingFile(ServerDescription server)
    {
        if (!SeesHost(server))
        {
            return null;
        }

        foreach (StartNeed need in server.Needs)
        {
            bool isThere = need.Kind switch
            {
                StartNeedKind.File => IsThere(need.Name),
                StartNeedKind.NewFile => IsThere(Path.GetDirectoryName(need.Name)!),
                StartNeedKind.Program => IsThere(need.Name),
                StartNeedKind.Pipe => IsThere(need.Name) || (IsThere(need.Name + ".in") && IsThere(need.Name + ".out")),
                StartNeedKind.Listener when need.Name.StartsWith('/') => IsListening(server, need.Name),
                _ => true,
            };
            if (!isThere)
            {
                return need.Kind switch
                {
                    StartNeedKind.NewFile => $"the directory of its {need.What} is not there",
                    StartNeedKind.Listener => $"nobody listens on the socket of its {need.What}",
                    _ => $"the file of its {need.What} is not there",
                };
            }
        }

        return null;
    }

    // systemd may hide directories of the host from this service (ProtectHome, PrivateTmp); its own process sees them all.
    private static bool IsThere(string path) => FileIdentity.Find(path) is not null
        || FileIdentity.Find(HostRoot + path) is not null
        || Hidden.Any(d => path.StartsWith(d, StringComparison.Ordinal));

    // A socket whose listener is gone is still a file. Flag 0x10000 of the kernel's list is __SO_ACCEPTCON. The list has the path by which the
    // socket was bound, which may lead through other links than QEMU's: the name tells enough.
    private static bool IsListening(ServerDescription server, string path)
    {
        if (!IsThere(path) || QemuFiles.Find(server) is not { } qemu)
        {
            return IsThere(path);
        }

        return File.ReadLines($"/proc/{qemu.ProcessId.ToString(CultureInfo.InvariantCulture)}/net/unix")
            .Select(line => line.Split(' ', 8, StringSplitOptions.RemoveEmptyEntries))
            .Any(fields => fields.Length > 7 && fields[3] == "00010000" && Path.GetFileName(fields[7]) == Path.GetFileName(path));
    }

    private static bool IsOwn(string address) => !IPAddress.TryParse(address, out IPAddress? ip)
        || IPAddress.IsLoopback(ip)
        || ip.Equals(IPAddress.Any)
        || ip.Equals(IPAddress.IPv6Any)
        || NetworkInterface.GetAllNetworkInterfaces().Any(i => i.GetIPProperties().UnicastAddresses.Any(a => a.Address.Equals(ip)));

    /// <summary>QEMU does not start when nobody answers where it connects to; the only way to know is to try.</summary>
    private static async Task<string?> FindSilentPeerAsync(ServerDescription server, CancellationToken cancellationToken)
    {
        foreach (StartNeed need in server.Needs.Where(n => n.Kind == StartNeedKind.Listener && n.Name.Contains('|', StringComparison.Ordinal)))
        {
            string[] address = need.Name.Split('|');
            using var peer = new TcpClient();
            using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            timeout.CancelAfter(PeerTimeout);
            try
            {
                await peer.ConnectAsync(address[0], int.Parse(address[1], CultureInfo.InvariantCulture), timeout.Token).ConfigureAwait(false);
            }
            catch (Exception e) when (e is SocketException or FormatException or OverflowException or ArgumentException
                || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
            {
                return $"nobody answers at the address of its {need.What}";
            }
        }

        return null;
    }

    private static string[] ReadHidden() =>
    [
        .. File.ReadLines("/proc/self/mountinfo")
            .Select(line => line.Split(' '))
            .Where(fields => fields.Length > 4 && fields[3].Contains("systemd", StringComparison.Ordinal))
            .Select(fields => fields[4] + "/"),
    ];

    // QEMU leaves pages of zeros out, so that less may do; but who takes the last space of the host for a guest's memory harms them all.
    private static string? FindSpaceObstacle(ServerDescription server)
    {
        if (!Directory.Exists(SaveDirectory))
        {
            return null;
        }

        long free = new DriveInfo(SaveDirectory).AvailableFreeSpace;
        return free < server.MemoryBytes
            ? $"its memory of {server.MemoryBytes >> 20} MiB does not fit where libvirt saves it: {free >> 20} MiB are free there"
            : null;
    }

    private async Task<string?> FindMachineObstacleAsync(ServerDescription server, CancellationToken cancellationToken) =>
        await hypervisor.FindMachineObstacleAsync(
            server.Needs.FirstOrDefault(n => n.Kind == StartNeedKind.Program)?.Name, server.Architecture, server.Machine, server.DomainType, cancellationToken)
            .ConfigureAwait(false) is { } why
            ? $"libvirt does not start its machine any more: {why}"
            : null;

    /// <summary>
    /// libvirt gives most files to QEMU's user, but not the directories on the way. Access lists and squashed users make the kernel the only one to ask.
    /// </summary>
    private async Task<string?> FindAccessObstacleAsync(ServerDescription server, CancellationToken cancellationToken)
    {
        string[] owner = server.QemuOwner?.Split(':') ?? [];
        List<StartNeed> files = [.. server.Needs.Where(n => n.Kind == StartNeedKind.File && FileIdentity.Find(n.Name) is not null)];
        if (owner.Length != 2 || files.Count == 0 || !SeesHost(server)
            || !uint.TryParse(owner[0].TrimStart('+'), NumberStyles.None, CultureInfo.InvariantCulture, out uint user) || user == 0
            || !uint.TryParse(owner[1].TrimStart('+'), NumberStyles.None, CultureInfo.InvariantCulture, out uint group))
        {
            return null;
        }

        foreach (StartNeed[] part in files.Chunk(64))
        {
            string seen = await StatAsync(user, group, part, cancellationToken).ConfigureAwait(false);
            HashSet<string> reached = [.. seen.Split('\n')];
            if (!reached.Contains(Root))
            {
                // No such user here, or no leave to become him: then libvirt is who says so.
                return null;
            }

            if (part.FirstOrDefault(n => !reached.Contains(n.Name)) is { } hidden)
            {
                return $"QEMU's user can't reach the file of its {hidden.What}";
            }
        }

        return null;
    }

    // What can be reached is listed, what can't be is not: the exit status says nothing more.
    private async Task<string> StatAsync(uint user, uint group, StartNeed[] files, CancellationToken cancellationToken)
    {
        List<string> arguments =
        [
            $"--reuid={user.ToString(CultureInfo.InvariantCulture)}", $"--regid={group.ToString(CultureInfo.InvariantCulture)}", "--init-groups", "--",
            "find", "-L", Root, .. files.Select(f => f.Name), "-maxdepth", "0", "-print",
        ];
        return await children.ReadAnywayAsync("setpriv", arguments, ChildLimits.Metadata, cancellationToken).ConfigureAwait(false);
    }
}

/// <summary>
/// Looks at files of servers, one at a time for each server: a file system that does not answer holds one thread, and keeps nobody waiting. Thread-safe.
/// </summary>
/// <typeparam name="T">What is found.</typeparam>
internal sealed class FileLooks<T>
{
    // Stat of a local file takes microseconds; a network file system whose server is gone takes for ever.
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(2);

    private readonly ConcurrentDictionary<Guid, Task<T>> _looking = new();

    /// <summary>Looks, on a thread of its own, or waits for the look that is under way.</summary>
    /// <param name="serverId">Whose files.</param>
    /// <param name="look">Blocks as long as their file systems please.</param>
    /// <param name="instead">What is found when they do not answer in time.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    public async Task<T> RunAsync(Guid serverId, Func<T> look, T instead, CancellationToken cancellationToken)
    {
        Task<T> looking = _looking.AddOrUpdate(serverId, _ => BeginAsync(look), (_, last) => last.IsCompleted ? BeginAsync(look) : last);
        try
        {
            return await looking.WaitAsync(Limit, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            return instead;
        }
    }

    private static Task<T> BeginAsync(Func<T> look) =>
        Task.Factory.StartNew(look, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
}
