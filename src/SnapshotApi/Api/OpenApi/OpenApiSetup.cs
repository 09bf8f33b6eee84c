using Microsoft.OpenApi;
using SnapshotApi.Api.Access;
using SnapshotApi.Contracts;
using Swashbuckle.AspNetCore.SwaggerGen;

namespace SnapshotApi.Api.OpenApi;

/// <summary>The API's description, generated from the endpoints, their doc comments and their metadata.</summary>
internal static class OpenApiSetup
{
    /// <summary>Name of the document; it is at <c>/swagger/v1/swagger.json</c>.</summary>
    public const string Document = "v1";

    private const string Description = """
        Takes images of KVM/libvirt guests. POST a snapshot of a server: a worker on its node turns the disk, as it was
        at one instant, into a standalone image in an image store. Poll the job to see percent, bytes, rate and time
        left.

        Errors are problem documents (RFC 9457) with a stable `code`; a malformed request gets every wrong field named.
        Where keys or tokens are configured, every request but that for liveness needs one: `Authorization: Bearer KEY`
        or `X-Api-Key: KEY`. Times are UTC. Sizes are bytes. Members that have no value are null. Answers may get more
        members, and texts with `x-extensible-enum` more values: clients accept what they do not know.
        """;

    /// <summary>Adds the generator.</summary>
    public static IServiceCollection AddApiDescription(this IServiceCollection services) => services
        .AddEndpointsApiExplorer()
        .AddSwaggerGen(swagger =>
        {
            swagger.SwaggerDoc(Document, new OpenApiInfo
            {
                Title = "SnapshotApi",
                Version = Document,
                Description = Description,
                License = new OpenApiLicense
                {
                    Name = "Apache-2.0",
                    Url = new Uri("https://www.apache.org/licenses/LICENSE-2.0"),
                },
            });
            swagger.AddServer(new OpenApiServer { Url = "/", Description = "This service" });
            swagger.SupportNonNullableReferenceTypes();
            swagger.NonNullableReferenceTypesAsRequired();
            swagger.UseAllOfToExtendReferenceSchemas();
            swagger.IncludeXmlComments(typeof(OpenApiSetup).Assembly);
            swagger.IncludeXmlComments(typeof(Job).Assembly);
            swagger.ParameterFilter<ParameterLimitFilter>();
            swagger.SchemaFilter<ContractSchemaFilter>();
            swagger.OperationFilter<QueryParameterFilter>();
            swagger.OperationFilter<ProblemResponseFilter>();
            swagger.OperationFilter<AccessFilter>();
            swagger.OperationFilter<SuccessResponseFilter>();
            swagger.DocumentFilter<TagFilter>();
            swagger.DocumentFilter<AccessFilter>();
        });

    /// <summary>Makes the description name the path under which a reverse proxy publishes the service.</summary>
    public static void NameServer(OpenApiDocument document, HttpRequest request)
    {
        if (request.PathBase.HasValue)
        {
            string path = request.PathBase.ToUriComponent();
            document.Servers = [new OpenApiServer { Url = path, Description = "This service" }];
        }
    }
}

/// <summary>Describes the groups of operations.</summary>
internal sealed class TagFilter : IDocumentFilter
{
    public void Apply(OpenApiDocument swaggerDoc, DocumentFilterContext context)
    {
        swaggerDoc.Tags = new HashSet<OpenApiTag>();
        foreach ((string name, string description) in ApiTags.All)
        {
            swaggerDoc.Tags.Add(new OpenApiTag { Name = name, Description = description });
        }
    }
}

/// <summary>Tells which role each operation needs, and how a key or token is sent.</summary>
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
                Description = "The same, for clients that use Authorization otherwise.",
            },
        };
    }

    public void Apply(OpenApiOperation operation, OperationFilterContext context)
    {
        if (AccessPolicies.RoleOf(context.ApiDescription.ActionDescriptor.EndpointMetadata) is not { } role)
        {
            return;
        }

        operation.Description += $"\n\nNeeds the role `{role.Name()}`: of a key or a token, or, on the service's "
            + "unix socket, of the user who connects.";
        operation.Security =
        [
            new OpenApiSecurityRequirement { [new OpenApiSecuritySchemeReference(Bearer, context.Document)] = [] },
            new OpenApiSecurityRequirement { [new OpenApiSecuritySchemeReference(ApiKey, context.Document)] = [] },

            // On the socket, and where the operator has opened the network.
            new OpenApiSecurityRequirement(),
        ];
    }
}
