using System.Text.Json;
using System.Text.Json.Serialization;

namespace SnapshotApi.Errors;

/// <summary>Writes <see cref="SnapshotErrorCode"/> in its stable snake_case form.</summary>
internal sealed class SnapshotErrorCodeConverter()
    : JsonStringEnumConverter<SnapshotErrorCode>(JsonNamingPolicy.SnakeCaseLower, allowIntegerValues: false);
