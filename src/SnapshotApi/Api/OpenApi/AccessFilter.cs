using Microsoft.OpenApi;
using SnapshotApi.Api.Access;
using SnapshotApi.Configuration;
using Swashbuckle.AspNetCore.SwaggerGen;

namespace SnapshotApi.Api.OpenApi;

/// <summary>Says of each operation which role it needs, where the service asks who calls, and how a key or token is sent.</summary>
internal sealed class AccessFilter : IOperationFilter, IDocumentFilter
{
    private const string Bearer = "bearer";
    private const string ApiKey = "apiKey";

    public void Apply(OpenApiDocument swaggerDoc, DocumentFilterContext context)
    {
        swaggerDoc.Components ??= new OpenApiComponents();
        swaggerDoc.Components.SecuritySchemes = new Dictionary<string, IOpenApiSecurityScheme>
        {
            [Bearer] = new OpenApiSecurityScheme
            {
                Type = SecuritySchemeType.Http,
                Scheme = "bearer",
                Description = "An API key, or a JSON web token.",
            },
            [ApiKey] = new OpenApiSecurityScheme
            {
                Type = SecuritySchemeType.ApiKey,
                In = ParameterLocation.Header,
                Name = PresentedKey.Header,
                Description = "The same, for clients that have other use for Authorization.",
            },
        };
    }

    public void Apply(OpenApiOperation operation, OperationFilterContext context)
    {
        if (AccessPolicies.RoleOf(context.ApiDescription.ActionDescriptor.EndpointMetadata) is not { } role)
        {
            return;
        }

        operation.Description += $"\n\nNeeds the role `{role.Name()}` where the service asks who calls.";
        operation.Security =
        [
            new OpenApiSecurityRequirement { [new OpenApiSecuritySchemeReference(Bearer, context.Document)] = [] },
            new OpenApiSecurityRequirement { [new OpenApiSecuritySchemeReference(ApiKey, context.Document)] = [] },
            new OpenApiSecurityRequirement(),
        ];
    }
}
