using System.Text.Json.Nodes;
using Microsoft.OpenApi;
using SnapshotApi.Api.Contracts;
using SnapshotApi.Stores;
using Swashbuckle.AspNetCore.SwaggerGen;

namespace SnapshotApi.Api.OpenApi;

/// <summary>Says of contracts what their types can't: limits, defaults, what is always there, the two forms of <c>disks</c>.</summary>
internal sealed class ContractSchemaFilter : ISchemaFilter
{
    public void Apply(IOpenApiSchema schema, SchemaFilterContext context)
    {
        if (schema is not OpenApiSchema { Properties: { } properties } body)
        {
            return;
        }

        // Answers may get more members; of a request, an unknown one is an error.
        body.AdditionalPropertiesAllowed = context.Type != typeof(SnapshotBody) && context.Type != typeof(JobPatch);
        if (context.Type == typeof(SnapshotBody))
        {
            DescribeBody(properties);
        }
        else if (context.Type == typeof(JobPatch))
        {
            DescribeBandwidth(properties);
        }
        else if (context.Type != typeof(Problem))
        {
            // What has no value is sent as null, never left out.
            body.Required = new SortedSet<string>(properties.Keys, StringComparer.Ordinal);
        }
    }

    private static void DescribeBody(IDictionary<string, IOpenApiSchema> properties)
    {
        Change(properties, "name", s => (s.MinLength, s.MaxLength) = (1, 255));
        Change(properties, "store", s => s.Enum = [.. StoreNames.All.Select(n => (JsonNode)n)]);
        Change(properties, "metadata", s => s.MaxProperties = 128);
        DescribeBandwidth(properties);
        Change(properties, "deadlineSeconds", s => (s.Minimum, s.Maximum) = ("1", "604800"));
        Change(properties, "internalSnapshot", s => s.Default = false);
        Change(properties, "blockRebase", s => s.Default = false);
        Change(properties, "disks", DescribeDisks);
    }

    private static void DescribeBandwidth(IDictionary<string, IOpenApiSchema> properties) =>
        Change(properties, "bandwidthBytesPerSecond", s => (s.Minimum, s.Maximum) = ("65536", "1099511627776"));

    private static void Change(IDictionary<string, IOpenApiSchema> properties, string name, Action<OpenApiSchema> change)
    {
        if (properties[name] is OpenApiSchema property)
        {
            change(property);
        }
    }

    private static void DescribeDisks(OpenApiSchema disks)
    {
        disks.Type = null;
        disks.OneOf =
        [
            new OpenApiSchema { Type = JsonSchemaType.String, Enum = ["root", "all"] },
            new OpenApiSchema
            {
                Type = JsonSchemaType.Array,
                Items = new OpenApiSchema { Type = JsonSchemaType.String, Pattern = "^[A-Za-z][A-Za-z0-9_-]{0,31}$" },
                MinItems = 1,
                MaxItems = 64,
                UniqueItems = true,
            },
        ];
        disks.Default = "root";
    }
}
