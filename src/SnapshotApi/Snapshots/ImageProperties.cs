using SnapshotApi.Captures;
using SnapshotApi.Hypervisor;
using SnapshotApi.Images;
using SnapshotApi.Stores;

namespace SnapshotApi.Snapshots;

/// <summary>Properties of an image: Nova's, the user's and ours, flat.</summary>
internal static class ImageProperties
{
    /// <summary>Prefix of our own: a user's metadata can't take their place.</summary>
    public const string OwnPrefix = "snapshotapi_";

    /// <summary>
    /// Composes the properties. Of what the guest needs to boot the user's word comes first, then the base's, then the definition's; on any other
    /// clash the user's metadata give way to ours.
    /// </summary>
    /// <param name="work">The run of the job.</param>
    /// <param name="server">The server.</param>
    /// <param name="origin">What the store knows of the image that the server was made from; null when nothing.</param>
    /// <param name="disk">The disk.</param>
    /// <param name="plan">The plan.</param>
    /// <param name="format">Format of the image.</param>
    /// <param name="consistency">What is known of the instant.</param>
    public static IReadOnlyDictionary<string, string> Build(
        SnapshotWork work, ServerDescription server, BaseImage? origin, DiskDescription disk, SnapshotPlan plan, ImageFormat format, Consistency consistency)
    {
        var properties = new SortedDictionary<string, string>(StringComparer.Ordinal);
        InheritedProperties.CopyTo(properties, origin);
        foreach ((string key, string value) in work.Request.Metadata)
        {
            properties[key] = value;
        }

        HardwareProperties.AddTo(properties, server.Hardware, disk);

        // As Nova's libvirt driver writes them.
        properties["image_location"] = "snapshot";
        properties["image_state"] = "available";
        properties["image_type"] = work.Request.Reserved?.Type ?? "snapshot";
        properties["instance_uuid"] = server.Id.ToString("D");
        if (server.Architecture is { } architecture)
        {
            properties["architecture"] = architecture;
        }

        AddIfKnown(properties, "backup_type", work.Request.Reserved?.BackupType);
        AddIfKnown(properties, "base_image_ref", server.Nova?.BaseImageId?.ToString("D"));
        AddIfKnown(properties, "owner_id", server.Nova?.ProjectId ?? work.Request.Reserved?.ProjectId);
        AddIfKnown(properties, "user_id", server.Nova?.UserId ?? work.Request.Reserved?.UserId);

        // An image of the kind that Amazon's had (a bare file system with its kernel beside it) stays one; all others are what we write: a
        // base that was in an archive (ova) or compressed is not so in its snapshot.
        bool isAmi = origin?.ContainerFormat == "ami";
        properties["container_format"] = isAmi ? "ami" : "bare";
        properties["disk_format"] = isAmi ? "ami" : ImageFormatNames.NameOf(format);

        properties[OwnPrefix + "job"] = work.JobId.ToString("D");
        properties[OwnPrefix + "server_name"] = server.Name;
        properties[OwnPrefix + "disk"] = disk.Target;
        properties[OwnPrefix + "capture"] = Name(plan.Capture.ToString());
        properties[OwnPrefix + "consistency"] = Name(consistency.ToString());
        return properties;
    }

    private static void AddIfKnown(SortedDictionary<string, string> properties, string key, string? value)
    {
        if (value is not null)
        {
            properties[key] = value;
        }
    }

    private static string Name(string value) => System.Text.Json.JsonNamingPolicy.SnakeCaseLower.ConvertName(value);
}
