using System.Text.Json.Nodes;
using Microsoft.OpenApi;
using SnapshotApi.Api.Mapping;
using SnapshotApi.Captures;
using SnapshotApi.Contracts;
using SnapshotApi.Hypervisor;
using SnapshotApi.Images;
using SnapshotApi.Persistence;
using SnapshotApi.Snapshots;
using SnapshotApi.Stores;
using Swashbuckle.AspNetCore.SwaggerGen;

namespace SnapshotApi.Api.OpenApi;

/// <summary>
/// Describes of contracts what their types do not: limits, defaults, which members are always there, and the values of
/// texts. Those of requests are a closed list. Those of answers may grow, so that clients must accept others.
/// </summary>
internal sealed class ContractSchemaFilter : ISchemaFilter
{
    private static readonly Dictionary<(Type Contract, string Member), Type> Values = new()
    {
        [(typeof(Job), "mode")] = typeof(SnapshotMode),
        [(typeof(Job), "status")] = typeof(JobStatus),
        [(typeof(Job), "step")] = typeof(SnapshotStep),
        [(typeof(Job), "taskState")] = typeof(TaskState),
        [(typeof(Job), "consistency")] = typeof(Consistency),
        [(typeof(JobCapture), "kind")] = typeof(CaptureKind),
        [(typeof(JobEventEntry), "step")] = typeof(SnapshotStep),
        [(typeof(JobFailure), "code")] = typeof(SnapshotErrorCode),
        [(typeof(JobFailure), "step")] = typeof(SnapshotStep),
        [(typeof(JobImage), "format")] = typeof(ImageFormat),
        [(typeof(Image), "format")] = typeof(ImageFormat),
        [(typeof(NodeAbilities), "captures")] = typeof(CaptureKind),
        [(typeof(Server), "powerState")] = typeof(ServerPowerState),
        [(typeof(SnapshotBody), "mode")] = typeof(SnapshotMode),
        [(typeof(SnapshotBody), "format")] = typeof(ImageFormat),
        [(typeof(SnapshotBody), "compression")] = typeof(Compression),
        [(typeof(SnapshotBody), "sparsify")] = typeof(Sparsify),
        [(typeof(SnapshotBody), "quiesce")] = typeof(QuiesceMode),
    };

    public void Apply(IOpenApiSchema schema, SchemaFilterContext context)
    {
        if (schema is not OpenApiSchema { Properties: { } properties } body)
        {
            return;
        }

        // Answers may get more members; of a request, an unknown one is an error.
        bool isRequest = context.Type == typeof(SnapshotBody) || context.Type == typeof(JobPatch);
        body.AdditionalPropertiesAllowed = !isRequest;
        foreach ((string name, IOpenApiSchema member) in properties)
        {
            if (Values.TryGetValue((context.Type, name), out Type? values))
            {
                DescribeValues((OpenApiSchema)member, isRequest, NamesOf(values));
            }
        }

        if (context.Type == typeof(SnapshotBody))
        {
            DescribeBody(properties);
        }
        else if (!isRequest && context.Type != typeof(Problem))
        {
            // What has no value is sent as null, never left out.
            body.Required = new SortedSet<string>(properties.Keys, StringComparer.Ordinal);
        }

        if (isRequest)
        {
            Change(properties, "bandwidthBytesPerSecond", s => (s.Minimum, s.Maximum) = ("65536", "1099511627776"));
        }
    }

    private static IEnumerable<string> NamesOf(Type values) =>
        Enum.GetNames(values).Select(JsonNamingPolicy.SnakeCaseLower.ConvertName);

    private static void DescribeValues(OpenApiSchema member, bool isClosed, IEnumerable<string> names)
    {
        JsonNode[] values = [.. names.Select(n => (JsonNode)n)];
        if (isClosed)
        {
            // All texts of requests but the name are optional, and null is the same as leaving them out.
            member.Enum = [.. values, JsonNullSentinel.JsonNull];
            return;
        }

        member.Description += " More values may be added.";
        OpenApiSchema text = member.Items as OpenApiSchema ?? member;
        text.AddExtension("x-extensible-enum", new JsonNodeExtension(new JsonArray(values)));
    }

    private static void DescribeBody(IDictionary<string, IOpenApiSchema> properties)
    {
        Change(properties, "name", s => (s.MinLength, s.MaxLength) = (1, 255));
        Change(properties, "store", s => DescribeValues(s, isClosed: true, StoreNames.All));
        Change(properties, "metadata", s => s.MaxProperties = 128);
        Change(properties, "deadlineSeconds", s => (s.Minimum, s.Maximum) = ("1", "604800"));
        Change(properties, "internalSnapshot", s => s.Default = false);
        Change(properties, "blockRebase", s => s.Default = false);

        // No type: generators make of a text or a list what can't hold both.
        Change(properties, "disks", s => (s.Type, s.Default) = (null, "root"));
    }

    private static void Change(
        IDictionary<string, IOpenApiSchema> properties, string name, Action<OpenApiSchema> change) =>
        change((OpenApiSchema)properties[name]);
}
