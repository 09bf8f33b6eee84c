using System.Collections.Concurrent;
using System.Text.Json.Serialization;

namespace SnapshotApi.Errors;

/// <summary>The snake_case names of enum values: their form in the HTTP contract, in rows and in journals.</summary>
internal static class EnumNames
{
    /// <summary>The name of a value, also of one that only a newer version knows.</summary>
    public static string ToSnakeCase<T>(this T value)
        where T : struct, Enum => EnumNames<T>.FindForeign(value) ?? ToSnakeCase(value.ToString());

    /// <summary>It is one of this version's values.</summary>
    public static bool IsKnown<T>(this T value)
        where T : struct, Enum => EnumNames<T>.FindForeign(value) is null;

    /// <summary>All names of an enum, in the order of their values.</summary>
    public static IEnumerable<string> Of(Type type) => Enum.GetNames(type).Select(ToSnakeCase);

    internal static string ToSnakeCase(string name) => JsonNamingPolicy.SnakeCaseLower.ConvertName(name);
}

/// <summary>The values of an enum by their snake_case names.</summary>
internal static class EnumNames<T>
    where T : struct, Enum
{
    // More than any version will add: whoever can write rows must not fill the memory.
    private const int MaxForeign = 1000;

    private static readonly Dictionary<string, T> ByName =
        Enum.GetValues<T>().ToDictionary(v => EnumNames.ToSnakeCase(v.ToString()), StringComparer.Ordinal);

    // Names of other versions, as values below zero: they equal no value of this one, and keep their names.
    private static readonly Lock Adding = new();
    private static readonly ConcurrentDictionary<string, T> ForeignValues = new(StringComparer.Ordinal);
    private static readonly ConcurrentDictionary<T, string> ForeignNames = new();

    /// <summary>All names, for a message.</summary>
    public static string List { get; } = string.Join(", ", ByName.Keys);

    /// <summary>Finds the value of a name.</summary>
    public static bool TryParse(string name, out T value) => ByName.TryGetValue(name, out value);

    /// <summary>The value of a name that this service has written, whatever its version.</summary>
    /// <exception cref="JsonException">There are too many names that this version does not know.</exception>
    public static T Parse(string name) =>
        TryParse(name, out T value) || ForeignValues.TryGetValue(name, out value) ? value : AddForeign(name);

    /// <summary>The name of a value that this version does not know; null: it does.</summary>
    internal static string? FindForeign(T value) => ForeignNames.GetValueOrDefault(value);

    private static T AddForeign(string name)
    {
        lock (Adding)
        {
            if (ForeignValues.TryGetValue(name, out T value))
            {
                return value;
            }

            if (ForeignNames.Count >= MaxForeign)
            {
                throw new JsonException($"'{name}' is no {typeof(T).Name}");
            }

            value = (T)Enum.ToObject(typeof(T), -1 - ForeignNames.Count);
            ForeignNames[value] = name;
            ForeignValues[name] = value;
            return value;
        }
    }
}

/// <summary>Reads and writes an enum by its snake_case names; numbers are refused.</summary>
internal sealed class SnakeCaseEnumConverter<T>()
    : JsonStringEnumConverter<T>(JsonNamingPolicy.SnakeCaseLower, allowIntegerValues: false)
    where T : struct, Enum;

/// <summary>
/// Reads and writes enums of rows by their snake_case names: a name of a newer version is kept and shown as it is.
/// </summary>
internal sealed class RowEnumConverter : JsonConverterFactory
{
    public override bool CanConvert(Type typeToConvert) => typeToConvert.IsEnum;

    public override JsonConverter CreateConverter(Type typeToConvert, JsonSerializerOptions options) =>
        (JsonConverter)Activator.CreateInstance(typeof(Of<>).MakeGenericType(typeToConvert))!;

    private sealed class Of<T> : JsonConverter<T>
        where T : struct, Enum
    {
        public override T Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            reader.TokenType == JsonTokenType.String
                ? EnumNames<T>.Parse(reader.GetString()!)
                : throw new JsonException($"a {typeof(T).Name} is a text");

        public override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options) =>
            writer.WriteStringValue(value.ToSnakeCase());
    }
}
