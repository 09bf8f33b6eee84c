using SnapshotApi.Api.Contracts;
using SnapshotApi.Hypervisor;
using SnapshotApi.Persistence;

namespace SnapshotApi.Api.Mapping;

/// <summary>Servers as the API shows them: no host path leaves the service.</summary>
internal static class ServerMapping
{
    /// <summary>A server row as the API shows it.</summary>
    public static Server ToContract(this ServerRecord record)
    {
        ServerDescription server = record.Description;
        return new Server(
            server.Id,
            server.Name,
            record.Node,
            server.PowerState,
            server.IsPersistent,
            server.DomainType,
            server.Architecture,
            server.OsType,
            new ServerAgent(server.HasAgentChannel, server.AgentConnected),
            server.ActiveJob,
            [.. server.Disks.Select(ToContract)],
            server.NotAnswering ?? server.StartObstacle,
            record.SeenAt,
            new ServerLinks(Links.Server(server.Id), Links.ServerSnapshots(server.Id)));
    }

    private static ServerDisk ToContract(DiskDescription disk) => new(
        disk.Target,
        disk.Device,
        disk.SourceType,
        disk.Format,
        disk.Layers.Count,
        disk.IsReadOnly,
        disk.IsShareable,
        disk.IsTransient,
        disk.IsEncrypted,
        disk.BootOrder);
}
