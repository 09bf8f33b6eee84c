using System.Text.Json;
using System.Text.Json.Serialization;

namespace SnapshotApi.Api;

/// <summary>How the API writes JSON: camelCase members, snake_case values, null where there is nothing.</summary>
internal static class ApiJson
{
    /// <summary>Options of all bodies but problem documents.</summary>
    public static JsonSerializerOptions Options { get; } = Configure(new JsonSerializerOptions(JsonSerializerDefaults.Web));

    /// <summary>Options of problem documents: members that do not apply are left out.</summary>
    public static JsonSerializerOptions Problems { get; } = new(Options)
    {
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    };

    /// <summary>Sets options as the API needs them.</summary>
    public static JsonSerializerOptions Configure(JsonSerializerOptions options)
    {
        options.Converters.Add(new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower, allowIntegerValues: false));
        return options;
    }
}
