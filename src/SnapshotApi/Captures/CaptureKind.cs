using System.Text.Json;
using System.Text.Json.Serialization;

namespace SnapshotApi.Captures;

/// <summary>How a stable view of the disks is obtained.</summary>
[JsonConverter(typeof(CaptureKindConverter))]
internal enum CaptureKind
{
    /// <summary>Save or use the stopped guest, take its top layer out of the way, start it again.</summary>
    Cold,

    /// <summary>Live copy by a block job; the instant is the end of the copy.</summary>
    Mirror,

    /// <summary>Live, by libvirt's backup job in pull mode; the instant is the start.</summary>
    Backup,
}

/// <summary>Writes <see cref="CaptureKind"/> in snake_case, the form of the HTTP contract and of the job row.</summary>
internal sealed class CaptureKindConverter()
    : JsonStringEnumConverter<CaptureKind>(JsonNamingPolicy.SnakeCaseLower, allowIntegerValues: false);
