using SnapshotApi.Captures;
using SnapshotApi.Hypervisor;
using SnapshotApi.Images;

namespace SnapshotApi.Snapshots;

/// <summary>Properties of an image: Nova's, the user's and ours, flat.</summary>
internal static class ImageProperties
{
    /// <summary>Prefix of our own: a user's metadata can't take their place.</summary>
    public const string OwnPrefix = "snapshotapi_";

    /// <summary>Composes the properties; on a clash the user's metadata give way.</summary>
    public static IReadOnlyDictionary<string, string> Build(
        SnapshotWork work, ServerDescription server, DiskDescription disk, SnapshotPlan plan, ImageFormat format, Consistency consistency)
    {
        var properties = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach ((string key, string value) in work.Request.Metadata)
        {
            properties[key] = value;
        }

        // As Nova's libvirt driver writes them.
        properties["image_location"] = "snapshot";
        properties["image_state"] = "available";
        properties["image_type"] = "snapshot";
        properties["instance_uuid"] = server.Id.ToString("D");
        properties["os_type"] = server.OsType;
        properties["container_format"] = "bare";
        properties["disk_format"] = ImageFormatNames.NameOf(format);
        if (server.Architecture is { } architecture)
        {
            properties["architecture"] = architecture;
        }

        properties[OwnPrefix + "job"] = work.JobId.ToString("D");
        properties[OwnPrefix + "server_name"] = server.Name;
        properties[OwnPrefix + "disk"] = disk.Target;
        properties[OwnPrefix + "capture"] = Name(plan.Capture.ToString());
        properties[OwnPrefix + "consistency"] = Name(consistency.ToString());
        return properties;
    }

    private static string Name(string value) => System.Text.Json.JsonNamingPolicy.SnakeCaseLower.ConvertName(value);
}
