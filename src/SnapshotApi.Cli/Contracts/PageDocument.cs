using System.Text.Json;
using System.Text.Json.Serialization;

namespace SnapshotApi.Cli.Contracts;

/// <summary>One page of a list.</summary>
/// <param name="Items">What is on it.</param>
/// <param name="Next">Address of the next page; null on the last.</param>
internal sealed record PageDocument(IReadOnlyList<JsonElement> Items, string? Next);

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

/// <summary>What <c>/health/ready</c> answers.</summary>
internal sealed record ReadinessDocument(
    string? Status, string? Version, string? Role, IReadOnlyList<ReadinessPartDocument>? Parts);

/// <summary>One part of the service.</summary>
internal sealed record ReadinessPartDocument(string? Name, bool? IsReady, string? Message);

/// <summary>What <c>image download --json</c> answers.</summary>
/// <param name="ImageId">The image.</param>
/// <param name="File">Where it is now, an absolute path.</param>
/// <param name="SizeBytes">Length of the file.</param>
/// <param name="ResumedAtBytes">How much of it an earlier run had fetched.</param>
/// <param name="Digest">Digest of the file, equal to the recorded one.</param>
internal sealed record DownloadDocument(string ImageId, string File, long SizeBytes, long ResumedAtBytes, DigestDocument Digest);

/// <summary>Source-generated JSON of the documents: web names, nulls left out of requests, unknown members of answers ignored.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(SnapshotBody))]
[JsonSerializable(typeof(JobDocument))]
[JsonSerializable(typeof(ServerDocument))]
[JsonSerializable(typeof(ImageDocument))]
[JsonSerializable(typeof(NodeDocument))]
[JsonSerializable(typeof(EventDocument))]
[JsonSerializable(typeof(ReadinessDocument))]
[JsonSerializable(typeof(PageDocument))]
[JsonSerializable(typeof(ProblemDocument))]
[JsonSerializable(typeof(DownloadDocument))]
[JsonSerializable(typeof(IReadOnlyList<JsonElement>))]
internal sealed partial class CliJson : JsonSerializerContext;
