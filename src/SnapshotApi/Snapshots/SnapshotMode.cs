using System.Text.Json;
using System.Text.Json.Serialization;

namespace SnapshotApi.Snapshots;

/// <summary>The capture that the user asks for.</summary>
[JsonConverter(typeof(SnapshotModeConverter))]
internal enum SnapshotMode
{
    /// <summary>Backup, else mirror, else cold; a stopped server is always cold.</summary>
    Auto,

    /// <summary>Backup, else mirror.</summary>
    Live,

    /// <summary>Cold, whatever the node can do.</summary>
    Cold,

    /// <summary>Live copy by a block job.</summary>
    Mirror,

    /// <summary>libvirt's backup job.</summary>
    Backup,
}

/// <summary>Writes <see cref="SnapshotMode"/> in snake_case, the form of the HTTP contract and of the job row.</summary>
internal sealed class SnapshotModeConverter()
    : JsonStringEnumConverter<SnapshotMode>(JsonNamingPolicy.SnakeCaseLower, allowIntegerValues: false);
