using System.Text.Json;
using System.Text.Json.Serialization;
using Npgsql;
using NpgsqlTypes;

namespace SnapshotApi.Persistence;

/// <summary>How values stand in rows: <c>jsonb</c> with camelCase members, enums in snake_case.</summary>
internal static class RowJson
{
    private static readonly JsonSerializerOptions Options = new(JsonSerializerDefaults.Web)
    {
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower, allowIntegerValues: false) },
    };

    /// <summary>A value as JSON.</summary>
    public static string Write<T>(T value) => JsonSerializer.Serialize(value, Options);

    /// <summary>A value from JSON.</summary>
    public static T Read<T>(string json) => JsonSerializer.Deserialize<T>(json, Options)
        ?? throw new InvalidOperationException($"a column holds the JSON null where a {typeof(T).Name} is due");

    /// <summary>The snake_case form of an enum.</summary>
    public static string NameOf<T>(T value)
        where T : struct, Enum => JsonNamingPolicy.SnakeCaseLower.ConvertName(value.ToString());

    /// <summary>An enum from its snake_case form.</summary>
    public static T Parse<T>(string name)
        where T : struct, Enum => JsonSerializer.Deserialize<T>($"\"{name}\"", Options);

    /// <summary>
    /// Adds a typed parameter; null is SQL's NULL. Not called Add: Npgsql's own of that shape takes an int for the size.
    /// </summary>
    public static void AddTyped(this NpgsqlParameterCollection parameters, string name, NpgsqlDbType type, object? value) =>
        parameters.Add(new NpgsqlParameter(name, type) { Value = value ?? DBNull.Value });

    /// <summary>A column that may be NULL.</summary>
    public static T? Nullable<T>(this NpgsqlDataReader reader, string column)
        where T : struct
    {
        int ordinal = reader.GetOrdinal(column);
        return reader.IsDBNull(ordinal) ? null : reader.GetFieldValue<T>(ordinal);
    }

    /// <summary>A text column that may be NULL.</summary>
    public static string? NullableText(this NpgsqlDataReader reader, string column)
    {
        int ordinal = reader.GetOrdinal(column);
        return reader.IsDBNull(ordinal) ? null : reader.GetString(ordinal);
    }

    /// <summary>A column that is never NULL.</summary>
    public static T Get<T>(this NpgsqlDataReader reader, string column) => reader.GetFieldValue<T>(reader.GetOrdinal(column));
}
