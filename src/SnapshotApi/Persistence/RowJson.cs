using System.Text.Json.Serialization;
using Npgsql;
using NpgsqlTypes;

namespace SnapshotApi.Persistence;

/// <summary>
/// Values as <c>jsonb</c>: camelCase members, enums in snake_case. What a newer version has written can be read.
/// </summary>
internal static class RowJson
{
    private static readonly JsonSerializerOptions Options = new(JsonSerializerDefaults.Web)
    {
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Converters = { new RowEnumConverter() },
    };

    public static string Write<T>(T value) => JsonSerializer.Serialize(value, Options);

    public static T Read<T>(string json) => JsonSerializer.Deserialize<T>(json, Options)
        ?? throw new InvalidOperationException($"a column holds the JSON null where a {typeof(T).Name} is due");
}

/// <summary>Typed parameters of a statement; null is SQL's NULL.</summary>
internal static class Parameter
{
    public static NpgsqlParameter Text(string name, string? value) => Of(name, NpgsqlDbType.Text, value);
    public static NpgsqlParameter Uuid(string name, Guid? value) => Of(name, NpgsqlDbType.Uuid, value);
    public static NpgsqlParameter Integer(string name, int? value) => Of(name, NpgsqlDbType.Integer, value);
    public static NpgsqlParameter Bigint(string name, long? value) => Of(name, NpgsqlDbType.Bigint, value);
    public static NpgsqlParameter Bool(string name, bool value) => Of(name, NpgsqlDbType.Boolean, value);
    public static NpgsqlParameter Bytes(string name, byte[] value) => Of(name, NpgsqlDbType.Bytea, value);
    public static NpgsqlParameter Interval(string name, TimeSpan? value) => Of(name, NpgsqlDbType.Interval, value);
    public static NpgsqlParameter Instant(string name, DateTimeOffset? value) =>
        Of(name, NpgsqlDbType.TimestampTz, value);

    /// <summary>A value as JSON.</summary>
    public static NpgsqlParameter Json<T>(string name, T? value) =>
        Of(name, NpgsqlDbType.Jsonb, value is null ? null : RowJson.Write(value));

    public static NpgsqlParameter ArrayOf<T>(string name, NpgsqlDbType element, IEnumerable<T> values) =>
        Of(name, NpgsqlDbType.Array | element, values.ToArray());

    private static NpgsqlParameter Of(string name, NpgsqlDbType type, object? value) =>
        new(name, type) { Value = value ?? DBNull.Value };
}

/// <summary>Columns of the current row, by name.</summary>
internal static class RowColumns
{
    public static T Get<T>(this NpgsqlDataReader row, string column) => row.GetFieldValue<T>(row.GetOrdinal(column));

    public static string? NullableText(this NpgsqlDataReader row, string column) => row[column] as string;

    public static T? Nullable<T>(this NpgsqlDataReader row, string column)
        where T : struct
    {
        int ordinal = row.GetOrdinal(column);
        return row.IsDBNull(ordinal) ? null : row.GetFieldValue<T>(ordinal);
    }

    /// <summary>An enum that is stored by its snake_case name.</summary>
    public static T Enum<T>(this NpgsqlDataReader row, string column)
        where T : struct, Enum => EnumNames<T>.Parse(row.Get<string>(column));

    public static T? NullableEnum<T>(this NpgsqlDataReader row, string column)
        where T : struct, Enum => row.NullableText(column) is { } name ? EnumNames<T>.Parse(name) : null;

    /// <summary>A value that is stored as JSON; the statement selects the column as text.</summary>
    public static T Json<T>(this NpgsqlDataReader row, string column) => RowJson.Read<T>(row.Get<string>(column));

    public static T? NullableJson<T>(this NpgsqlDataReader row, string column)
        where T : class => row.NullableText(column) is { } json ? RowJson.Read<T>(json) : null;
}
