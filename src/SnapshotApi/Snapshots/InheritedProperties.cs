using SnapshotApi.Stores;

namespace SnapshotApi.Snapshots;

/// <summary>
/// What an image takes over from the one that its server was made from: as Nova, all properties but those that are true of the
/// base's file only.
/// </summary>
internal static class InheritedProperties
{
    /// <summary>Attributes of Glance, not properties.</summary>
    private static readonly HashSet<string> Attributes = new(StringComparer.Ordinal)
    {
        "id", "name", "status", "visibility", "protected", "os_hidden", "checksum", "owner", "size", "virtual_size", "created_at", "updated_at", "tags",
        "direct_url", "min_ram", "min_disk", "self", "file", "stores", "schema", "locations", "location", "deleted", "deleted_at",
        "container_format", "disk_format", "os_hash_algo", "os_hash_value", "description",
    };

    /// <summary>Nova's <c>non_inheritable_image_properties</c>, and what it drops besides: caches, and block devices of the base.</summary>
    private static readonly HashSet<string> OfTheBaseOnly = new(StringComparer.Ordinal)
    {
        "cache_in_nova", "bittorrent", "progress", "block_device_mapping", "bdm_v2", "root_device_name", "mappings", "backup_type",
        "image_type", "image_state", "image_location", "instance_uuid", "base_image_ref", "owner_id", "user_id", "owner_specified.openstack.md5",
        "owner_specified.openstack.sha256", "owner_specified.openstack.object",
    };

    /// <summary>
    /// Of the base's file, or secrets: its signature, the key that its content is encrypted with, what Glance's import left, and
    /// what we said of another snapshot.
    /// </summary>
    private static readonly string[] Prefixes = ["img_signature", "cinder_encryption_key", "os_glance_", "trusts_", ImageProperties.OwnPrefix];

    /// <summary>Adds what is inherited.</summary>
    public static void CopyTo(IDictionary<string, string> properties, BaseImage? origin)
    {
        foreach ((string key, string value) in origin?.Members ?? new Dictionary<string, string>())
        {
            if (IsInherited(key) && value.Length > 0 && (key != HardwareProperties.OperatingSystem || HardwareProperties.IsOperatingSystem(value)))
            {
                properties[key] = value;
            }
        }
    }

    private static bool IsInherited(string key) =>
        !Attributes.Contains(key) && !OfTheBaseOnly.Contains(key) && !Prefixes.Any(p => key.StartsWith(p, StringComparison.Ordinal));
}
