using System.Text.Json;
using System.Text.Json.Serialization;
using SnapshotApi.Cli.Downloads;
using SnapshotApi.Cli.Http;
using SnapshotApi.Contracts;

namespace SnapshotApi.Cli;

/// <summary>
/// Source-generated JSON of the documents. Requests leave nulls out. Of answers, unknown members are ignored, missing
/// ones are null, 0 or false: the service may be of another version.
/// </summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(SnapshotBody))]
[JsonSerializable(typeof(string[]))]
[JsonSerializable(typeof(Job))]
[JsonSerializable(typeof(JobEventEntry))]
[JsonSerializable(typeof(Server))]
[JsonSerializable(typeof(Image))]
[JsonSerializable(typeof(Node))]
[JsonSerializable(typeof(Readiness))]
[JsonSerializable(typeof(Liveness))]
[JsonSerializable(typeof(Page<JsonElement>))]
[JsonSerializable(typeof(ProblemDocument))]
[JsonSerializable(typeof(DownloadDocument))]
[JsonSerializable(typeof(IdDocument))]
[JsonSerializable(typeof(IReadOnlyList<JsonElement>))]
internal sealed partial class CliJson : JsonSerializerContext;

/// <summary>What <c>--json</c> writes after a deletion that the service answered without a document.</summary>
/// <param name="Id">Id of what was deleted.</param>
internal sealed record IdDocument(string Id);
