using System.Text.Json.Nodes;
using Microsoft.OpenApi;
using SnapshotApi.Api.Validation;
using SnapshotApi.Errors;
using Swashbuckle.AspNetCore.SwaggerGen;

namespace SnapshotApi.Api.OpenApi;

/// <summary>Describes the query parameters that an operation declares as metadata.</summary>
internal sealed class QueryParameterFilter : IOperationFilter
{
    public void Apply(OpenApiOperation operation, OperationFilterContext context)
    {
        foreach (QueryParameter parameter in context.ApiDescription.ActionDescriptor.EndpointMetadata.OfType<QueryParameter>())
        {
            operation.Parameters ??= [];
            operation.Parameters.Add(new OpenApiParameter
            {
                Name = parameter.Name,
                In = ParameterLocation.Query,
                Description = parameter.Description,
                Schema = parameter.IsList
                    ? new OpenApiSchema { Type = JsonSchemaType.Array, Items = SchemaOf(parameter) }
                    : SchemaOf(parameter),
            });
        }
    }

    private static OpenApiSchema SchemaOf(QueryParameter parameter)
    {
        if (parameter.Type.IsEnum)
        {
            return new OpenApiSchema
            {
                Type = JsonSchemaType.String,
                Enum = [.. EnumNames.Of(parameter.Type).Select(n => (JsonNode)n)],
            };
        }

        return parameter.Type == typeof(int)
            ? new OpenApiSchema
            {
                Type = JsonSchemaType.Integer,
                Format = "int32",
                Minimum = parameter.Minimum?.ToString(System.Globalization.CultureInfo.InvariantCulture),
                Maximum = parameter.Maximum?.ToString(System.Globalization.CultureInfo.InvariantCulture),
                Default = parameter.Default,
            }
            : new OpenApiSchema { Type = JsonSchemaType.String, Format = parameter.Type == typeof(Guid) ? "uuid" : null };
    }
}

/// <summary>Says of path and header parameters what they may hold.</summary>
internal sealed class ParameterLimitFilter : IParameterFilter
{
    public void Apply(IOpenApiParameter parameter, ParameterFilterContext context)
    {
        if (parameter.Schema is not OpenApiSchema schema)
        {
            return;
        }

        switch (parameter.Name)
        {
            case "id":
                schema.Format = "uuid";
                break;
            case "server" when parameter.In == ParameterLocation.Path:
                (schema.MinLength, schema.MaxLength) = (1, 255);
                break;
            case IdempotencyKeyReader.Header:
                (schema.MinLength, schema.MaxLength, schema.Pattern) = (1, 255, "^[!-~]+$");
                break;
        }
    }
}
