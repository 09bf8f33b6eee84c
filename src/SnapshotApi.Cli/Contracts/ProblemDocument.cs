using System.Text.Json;
using System.Text.Json.Serialization;

namespace SnapshotApi.Cli.Contracts;

/// <summary>A problem document (RFC 9457) with the service's stable <c>code</c>.</summary>
internal sealed record ProblemDocument
{
    public string? Title { get; init; }

    public int? Status { get; init; }

    public string? Detail { get; init; }

    /// <summary>Stable snake_case code, for example <c>server_busy</c>.</summary>
    public string? Code { get; init; }

    /// <summary>Every wrong field with what is wrong with it.</summary>
    public Dictionary<string, IReadOnlyList<string>>? Errors { get; init; }

    /// <summary>Everything else that the service says, for example the UUIDs that share a name.</summary>
    [JsonExtensionData]
    public Dictionary<string, JsonElement>? Others { get; set; }
}
