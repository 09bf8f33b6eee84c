using System.Collections.Concurrent;
using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using SnapshotApi.Host;
using SnapshotApi.Hypervisor;
using SnapshotApi.Linux;
using SnapshotApi.Tools;

namespace SnapshotApi.Captures;

/// <summary>Whether a running server could be started again, without which no cold capture begins.</summary>
internal sealed class StartCheck(IHypervisor hypervisor, ChildProcess children)
{
    private const string SaveDirectory = "/var/lib/libvirt/qemu/save";

    // Every user reaches it.
    private const string Root = "/";
    private const string HostRoot = "/proc/1/root";

    private static readonly bool IsInContainer = File.Exists("/.dockerenv") || File.Exists("/run/.containerenv");

    // A connection within a data centre takes milliseconds.
    private static readonly TimeSpan PeerTimeout = TimeSpan.FromSeconds(2);

    // Directories over which systemd has mounted one of its own.
    private static readonly string[] Hidden = ReadHidden();

    private readonly FileLooks<string?> _looks = new();

    /// <summary>Adds <see cref="ServerDescription.StartObstacle"/> for the inventory: what is cheap to see.</summary>
    public async Task<ServerDescription> WithObstacleAsync(
        ServerDescription server, CancellationToken cancellationToken) =>
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
        foreach (StartNeed need in Of(server, StartNeedKind.Network))
        {
            bool? isActive = await hypervisor.IsNetworkActiveAsync(need.Name, cancellationToken).ConfigureAwait(false);
            if (isActive != true)
            {
                string state = isActive is null ? "is not defined on this node" : "is not active";
                return $"its network '{need.Name}' {state}";
            }
        }

        foreach (StartNeed need in Of(server, StartNeedKind.Secret))
        {
            if (!await hypervisor.HasSecretAsync(need.Name, cancellationToken).ConfigureAwait(false))
            {
                return $"libvirt has not the secret of its {need.What} any more";
            }
        }

        IReadOnlyList<StartNeed> seen = SeesHost(server) ? server.Needs : [];
        if (seen.FirstOrDefault(n => n.Kind == StartNeedKind.OwnAddress && !IsOwn(n.Name)) is { } address)
        {
            return $"the address of its {address.What} is not one of this host";
        }

        if (seen.FirstOrDefault(IsMissingInterface) is { } missing)
        {
            return $"the {missing.What} '{missing.Name}' is not on this host";
        }

        IEnumerable<string> obstacles =
            from disk in server.Disks
            from layer in disk.Layers
            where layer.PathObstacle is not null
            select $"disk {disk.Target} {layer.PathObstacle}";
        return obstacles.FirstOrDefault() ?? await _looks.RunAsync(
            server.Id, () => FindMissingFile(server), "a file system that its definition needs does not answer",
            cancellationToken).ConfigureAwait(false);
    }

    private static bool IsMissingInterface(StartNeed need) =>
        need.Kind == StartNeedKind.HostInterface && !Directory.Exists($"/sys/class/net/{need.Name}");

    private static IEnumerable<StartNeed> Of(ServerDescription server, StartNeedKind kind) =>
        server.Needs.Where(n => n.Kind == kind);

    // A container without even the emulator does not show other files of the host either.
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
                StartNeedKind.File or StartNeedKind.Program => IsThere(need.Name),
                StartNeedKind.NewFile => IsThere(Path.GetDirectoryName(need.Name)!),
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

    // systemd may hide directories from this service (ProtectHome, PrivateTmp); its own process sees them all.
    private static bool IsThere(string path) => FileIdentity.Find(path) is not null
        || FileIdentity.Find(HostRoot + path) is not null
        || Hidden.Any(d => path.StartsWith(d, StringComparison.Ordinal));

    // A socket whose listener is gone is still a file. Flag 0x10000 of the kernel's list is __SO_ACCEPTCON. The path by
    // which the socket was bound may lead through other links than QEMU's: its name is enough.
    private static bool IsListening(ServerDescription server, string path)
    {
        if (!IsThere(path) || QemuFiles.Find(server) is not { } qemu)
        {
            return IsThere(path);
        }

        return File.ReadLines($"/proc/{qemu.ProcessId.ToString(CultureInfo.InvariantCulture)}/net/unix")
            .Select(line => line.Split(' ', 8, StringSplitOptions.RemoveEmptyEntries))
            .Where(fields => fields.Length > 7 && fields[3] == "00010000")
            .Any(fields => Path.GetFileName(fields[7]) == Path.GetFileName(path));
    }

    private static bool IsOwn(string address) => !IPAddress.TryParse(address, out IPAddress? ip)
        || IPAddress.IsLoopback(ip)
        || ip.Equals(IPAddress.Any)
        || ip.Equals(IPAddress.IPv6Any)
        || NetworkInterface.GetAllNetworkInterfaces()
            .SelectMany(i => i.GetIPProperties().UnicastAddresses)
            .Any(a => a.Address.Equals(ip));

    // QEMU does not start when nobody answers where it connects to; the only way to know is to try.
    private static async Task<string?> FindSilentPeerAsync(
        ServerDescription server, CancellationToken cancellationToken)
    {
        foreach (StartNeed need in Of(server, StartNeedKind.Listener))
        {
            if (need.Name.Split('|') is not [string host, string port, ..])
            {
                continue;
            }

            using var peer = new TcpClient();
            using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            timeout.CancelAfter(PeerTimeout);
            try
            {
                await peer.ConnectAsync(host, int.Parse(port, CultureInfo.InvariantCulture), timeout.Token)
                    .ConfigureAwait(false);
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

    // QEMU leaves out pages of zeros; but taking the host's last space for one guest harms all.
    private static string? FindSpaceObstacle(ServerDescription server)
    {
        if (!Directory.Exists(SaveDirectory))
        {
            return null;
        }

        long free = new DriveInfo(SaveDirectory).AvailableFreeSpace;
        return free < server.MemoryBytes
            ? $"its memory of {server.MemoryBytes >> 20} MiB does not fit where libvirt saves it: "
                + $"{free >> 20} MiB are free there"
            : null;
    }

    private async Task<string?> FindMachineObstacleAsync(ServerDescription server, CancellationToken cancellationToken)
    {
        string? emulator = Of(server, StartNeedKind.Program).FirstOrDefault()?.Name;
        string? why = await hypervisor.FindMachineObstacleAsync(
            emulator, server.Architecture, server.Machine, server.DomainType, cancellationToken).ConfigureAwait(false);
        return why is null ? null : $"libvirt does not start its machine any more: {why}";
    }

    // libvirt gives files to QEMU's user, not the directories on the way: only the kernel can tell.
    private async Task<string?> FindAccessObstacleAsync(ServerDescription server, CancellationToken cancellationToken)
    {
        string[] owner = server.QemuOwner?.Split(':') ?? [];
        StartNeed[] files = [.. Of(server, StartNeedKind.File).Where(n => FileIdentity.Find(n.Name) is not null)];
        if (owner.Length != 2 || files.Length == 0 || !SeesHost(server)
            || Number(owner[0]) is not { } user || user == 0 || Number(owner[1]) is not { } group)
        {
            return null;
        }

        foreach (StartNeed[] part in files.Chunk(64))
        {
            string seen = await StatAsync(user, group, part, cancellationToken).ConfigureAwait(false);
            HashSet<string> reached = [.. seen.Split('\n')];
            if (!reached.Contains(Root))
            {
                // No such user here, or no right to become it: libvirt reports that.
                return null;
            }

            if (part.FirstOrDefault(n => !reached.Contains(n.Name)) is { } hidden)
            {
                return $"QEMU's user can't reach the file of its {hidden.What}";
            }
        }

        return null;
    }

    private static uint? Number(string id) =>
        uint.TryParse(id.TrimStart('+'), NumberStyles.None, CultureInfo.InvariantCulture, out uint number)
            ? number
            : null;

    // Only what can be reached is listed; the exit status says nothing more.
    private Task<string> StatAsync(uint user, uint group, StartNeed[] files, CancellationToken cancellationToken) =>
        children.ReadAnywayAsync(
            "setpriv",
            [
                string.Create(CultureInfo.InvariantCulture, $"--reuid={user}"),
                string.Create(CultureInfo.InvariantCulture, $"--regid={group}"),
                "--init-groups", "--", "find", "-L", Root, .. files.Select(f => f.Name), "-maxdepth", "0", "-print",
            ],
            ChildLimits.Metadata,
            cancellationToken);
}

/// <summary>Looks at files, one look at a time for each server: a file system that hangs holds one thread.</summary>
internal sealed class FileLooks<T>
{
    // stat of a local file takes microseconds; of a network file system without its server, for ever.
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(2);

    private readonly ConcurrentDictionary<Guid, Task<T>> _looking = new();

    /// <summary>Looks, or waits for the present look.</summary>
    /// <param name="look">Blocks as long as the file systems.</param>
    /// <param name="instead">The result when they do not answer in time.</param>
    public async Task<T> RunAsync(Guid serverId, Func<T> look, T instead, CancellationToken cancellationToken)
    {
        Task<T> looking = _looking.AddOrUpdate(
            serverId, _ => OwnThread.RunAsync(look), (_, last) => last.IsCompleted ? OwnThread.RunAsync(look) : last);
        try
        {
            return await looking.WaitAsync(Limit, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            return instead;
        }
    }
}
