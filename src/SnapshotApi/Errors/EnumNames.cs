using System.Text.Json.Serialization;

namespace SnapshotApi.Errors;

/// <summary>The snake_case names of enum values: their form in the HTTP contract, in rows and in journals.</summary>
internal static class EnumNames
{
    /// <summary>The name of a value; a number for one that its enum does not know.</summary>
    public static string ToSnakeCase<T>(this T value)
        where T : struct, Enum => ToSnakeCase(value.ToString());

    /// <summary>All names of an enum, in the order of their values.</summary>
    public static IEnumerable<string> Of(Type type) => Enum.GetNames(type).Select(ToSnakeCase);

    private static string ToSnakeCase(string name) => JsonNamingPolicy.SnakeCaseLower.ConvertName(name);
}

/// <summary>The values of an enum by their snake_case names.</summary>
internal static class EnumNames<T>
    where T : struct, Enum
{
    private static readonly Dictionary<string, T> ByName =
        Enum.GetValues<T>().ToDictionary(v => v.ToSnakeCase(), StringComparer.Ordinal);

    /// <summary>All names, for a message.</summary>
    public static string List { get; } = string.Join(", ", ByName.Keys);

    /// <summary>Finds the value of a name.</summary>
    public static bool TryParse(string name, out T value) => ByName.TryGetValue(name, out value);

    /// <summary>The value of a name that this service has written.</summary>
    /// <exception cref="JsonException">No value has that name.</exception>
    public static T Parse(string name) =>
        TryParse(name, out T value) ? value : throw new JsonException($"'{name}' is no {typeof(T).Name}");
}

/// <summary>Reads and writes an enum by its snake_case names; numbers are refused.</summary>
internal sealed class SnakeCaseEnumConverter<T>()
    : JsonStringEnumConverter<T>(JsonNamingPolicy.SnakeCaseLower, allowIntegerValues: false)
    where T : struct, Enum;
