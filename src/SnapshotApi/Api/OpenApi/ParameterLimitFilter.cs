using Microsoft.OpenApi;
using SnapshotApi.Api.Validation;
using Swashbuckle.AspNetCore.SwaggerGen;

namespace SnapshotApi.Api.OpenApi;

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
