using Microsoft.OpenApi;
using SnapshotApi.Api.Validation;
using Swashbuckle.AspNetCore.SwaggerGen;

namespace SnapshotApi.Api.OpenApi;

/// <summary>Describes the query parameters that an operation declares as metadata.</summary>
internal sealed class QueryParameterFilter : IOperationFilter
{
    public void Apply(OpenApiOperation operation, OperationFilterContext context)
    {
        IList<object> metadata = context.ApiDescription.ActionDescriptor.EndpointMetadata;
        foreach (QueryParameter parameter in metadata.OfType<QueryParameter>())
        {
            operation.Parameters ??= [];
            operation.Parameters.Add(new OpenApiParameter
            {
                Name = parameter.Name,
                In = ParameterLocation.Query,
                Description = parameter.Description,
                Schema = parameter.IsList
                    ? new OpenApiSchema { Type = JsonSchemaType.Array, Items = SchemaOf(parameter, context) }
                    : SchemaOf(parameter, context),
            });
        }
    }

    private static IOpenApiSchema SchemaOf(QueryParameter parameter, OperationFilterContext context)
    {
        // The schema of an enum has a name, which generators give to their type.
        if (parameter.Type.IsEnum)
        {
            return context.SchemaGenerator.GenerateSchema(parameter.Type, context.SchemaRepository);
        }

        return parameter.Type == typeof(int)
            ? new OpenApiSchema
            {
                Type = JsonSchemaType.Integer,
                Format = "int32",
                Minimum = parameter.Minimum?.ToString(CultureInfo.InvariantCulture),
                Maximum = parameter.Maximum?.ToString(CultureInfo.InvariantCulture),
                Default = parameter.Default,
            }
            : new OpenApiSchema
            {
                Type = JsonSchemaType.String,
                Format = parameter.Type == typeof(Guid) ? "uuid" : null,
            };
    }
}

/// <summary>Describes what path and header parameters may hold.</summary>
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
