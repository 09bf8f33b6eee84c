using System.Text.Json;
using System.Text.Json.Serialization;

namespace SnapshotApi.Images;

/// <summary>Whether allocated clusters that hold only zeros are looked for and left out.</summary>
[JsonConverter(typeof(SparsifyConverter))]
internal enum Sparsify
{
    /// <summary>If a random sample of the clusters shows that more than a quarter of them is zero.</summary>
    Auto,

    /// <summary>Always.</summary>
    Always,

    /// <summary>They are stored as they are.</summary>
    Never,
}

/// <summary>Writes <see cref="Sparsify"/> in snake_case, the form of the HTTP contract and of the job row.</summary>
internal sealed class SparsifyConverter()
    : JsonStringEnumConverter<Sparsify>(JsonNamingPolicy.SnakeCaseLower, allowIntegerValues: false);
