using System.Text.Json;
using System.Text.Json.Serialization;

namespace SnapshotApi.Cli.Contracts;

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
