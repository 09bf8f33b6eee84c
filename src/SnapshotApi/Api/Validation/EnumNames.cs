using System.Text.Json;

namespace SnapshotApi.Api.Validation;

/// <summary>The names of an enum as the API spells them.</summary>
internal static class EnumNames<T>
    where T : struct, Enum
{
    private static readonly Dictionary<string, T> ByName = Enum.GetValues<T>()
        .ToDictionary(v => JsonNamingPolicy.SnakeCaseLower.ConvertName(v.ToString()), StringComparer.Ordinal);

    /// <summary>All names, for a message.</summary>
    public static string List { get; } = string.Join(", ", ByName.Keys);

    /// <summary>The value of a name.</summary>
    public static bool TryParse(string name, out T value) => ByName.TryGetValue(name, out value);
}
