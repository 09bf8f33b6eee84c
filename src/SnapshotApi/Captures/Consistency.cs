using System.Text.Json;
using System.Text.Json.Serialization;

namespace SnapshotApi.Captures;

/// <summary>What is known of an image's consistency.</summary>
[JsonConverter(typeof(ConsistencyConverter))]
internal enum Consistency
{
    /// <summary>File systems were frozen by the guest agent at the instant.</summary>
    Application,

    /// <summary>The guest was stopped, or its memory saved, at the instant.</summary>
    Offline,

    /// <summary>As after a power cut: journals will be replayed at the next boot.</summary>
    Crash,
}

/// <summary>Writes <see cref="Consistency"/> in snake_case, the form of the HTTP contract and of the job row.</summary>
internal sealed class ConsistencyConverter()
    : JsonStringEnumConverter<Consistency>(JsonNamingPolicy.SnakeCaseLower, allowIntegerValues: false);
