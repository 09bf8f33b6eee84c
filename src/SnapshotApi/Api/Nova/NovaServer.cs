using System.Text.Json.Nodes;
using SnapshotApi.Api.Mapping;
using SnapshotApi.Hypervisor;
using SnapshotApi.Persistence;

namespace SnapshotApi.Api.Nova;

/// <summary>Servers as Nova shows them. What only Nova knows - addresses, keys, volumes - is empty.</summary>
/// <param name="address">Address of this service, for links.</param>
internal sealed class NovaServer(ServerOwners owners, string address)
{
    public JsonObject Brief(ServerRecord record) => new()
    {
        ["id"] = record.Description.Id.ToString("D"),
        ["name"] = ServerOwners.NameOf(record.Description),
        ["links"] = Links(record.Description.Id),
    };

    /// <summary>A server in full.</summary>
    /// <param name="active">Its queued or running job; null when it has none.</param>
    public JsonObject Full(ServerRecord record, JobRecord? active)
    {
        ServerDescription server = record.Description;
        (string status, string state, int power) = StateOf(server.PowerState);
        string seen = Time(record.SeenAt);
        JsonObject shown = Brief(record);
        shown["status"] = status;
        shown["tenant_id"] = owners.ProjectOf(server) ?? string.Empty;
        shown["user_id"] = server.Nova?.UserId ?? string.Empty;
        shown["metadata"] = new JsonObject();
        shown["hostId"] = string.Empty;
        shown["image"] = server.Nova?.BaseImageId is { } image
            ? new JsonObject { ["id"] = image.ToString("D"), ["links"] = new JsonArray() }
            : string.Empty;
        shown["flavor"] = new JsonObject { ["id"] = server.Nova?.Flavor ?? "unknown", ["links"] = new JsonArray() };
        shown["created"] = server.Nova?.CreatedAt is { } created ? Time(created) : seen;
        shown["updated"] = seen;
        shown["addresses"] = new JsonObject();
        shown["accessIPv4"] = string.Empty;
        shown["accessIPv6"] = string.Empty;
        shown["config_drive"] = string.Empty;
        shown["key_name"] = null;
        shown["progress"] = 0;
        shown["OS-DCF:diskConfig"] = "MANUAL";
        shown["OS-EXT-AZ:availability_zone"] = "nova";
        shown["OS-EXT-STS:task_state"] = TaskStateOf(active);
        shown["OS-EXT-STS:vm_state"] = state;
        shown["OS-EXT-STS:power_state"] = power;
        shown["OS-SRV-USG:launched_at"] = null;
        shown["OS-SRV-USG:terminated_at"] = null;
        shown["os-extended-volumes:volumes_attached"] = new JsonArray();
        return shown;
    }

    public static string StatusOf(ServerRecord record) => StateOf(record.Description.PowerState).Status;

    /// <summary>Nova's task state of a server with that job; null without one. A waiting backup has its own.</summary>
    public static string? TaskStateOf(JobRecord? active) =>
        active is null || JobMapping.TaskStateOf(active) is not { } state ? null
        : state == TaskState.ImageSnapshotPending && active.Request.Reserved?.BackupType is not null ? "image_backup"
        : state.ToSnakeCase();

    // Status, vm_state, and power_state as numbers: 0 no state, 1 running, 3 paused, 4 shut down.
    private static (string Status, string State, int Power) StateOf(ServerPowerState state) => state switch
    {
        ServerPowerState.Running => ("ACTIVE", "active", 1),
        ServerPowerState.Paused => ("PAUSED", "paused", 3),
        ServerPowerState.Suspended or ServerPowerState.Saved => ("SUSPENDED", "suspended", 4),
        ServerPowerState.ShutOff => ("SHUTOFF", "stopped", 4),
        _ => ("UNKNOWN", "building", 0),
    };

    private static string Time(DateTimeOffset time) =>
        time.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ssZ", System.Globalization.CultureInfo.InvariantCulture);

    private JsonArray Links(Guid id) =>
        [new JsonObject { ["rel"] = "self", ["href"] = $"{address}{NovaRequest.Prefix}/servers/{id:D}" }];
}
