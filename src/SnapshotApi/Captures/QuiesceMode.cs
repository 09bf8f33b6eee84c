using System.Text.Json;
using System.Text.Json.Serialization;

namespace SnapshotApi.Captures;

/// <summary>Whether the guest's file systems are frozen at the instant of a live capture.</summary>
[JsonConverter(typeof(QuiesceModeConverter))]
internal enum QuiesceMode
{
    /// <summary>Freeze if the agent answers, else go on and say so.</summary>
    Auto,

    /// <summary>No image without a freeze.</summary>
    Required,

    /// <summary>Do not freeze.</summary>
    Never,
}

/// <summary>Writes <see cref="QuiesceMode"/> in snake_case, the form of the HTTP contract and of the job row.</summary>
internal sealed class QuiesceModeConverter()
    : JsonStringEnumConverter<QuiesceMode>(JsonNamingPolicy.SnakeCaseLower, allowIntegerValues: false);
