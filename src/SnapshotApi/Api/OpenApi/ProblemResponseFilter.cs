using System.Globalization;
using System.Text.Json;
using Microsoft.OpenApi;
using SnapshotApi.Api.Access;
using SnapshotApi.Api.Contracts;
using Swashbuckle.AspNetCore.SwaggerGen;

namespace SnapshotApi.Api.OpenApi;

/// <summary>Documents every error of an operation: a response for each status, with its codes and an example of each.</summary>
internal sealed class ProblemResponseFilter : IOperationFilter
{
    private const string TraceId = "4bf92f3577b34da6a3ce929d0e0e4736";

    public void Apply(OpenApiOperation operation, OperationFilterContext context)
    {
        IList<object> metadata = context.ApiDescription.ActionDescriptor.EndpointMetadata;
        IEnumerable<ProblemKind> errors = metadata.OfType<ErrorCodes>().FirstOrDefault()?.Kinds ?? [];
        if (AccessPolicies.RoleOf(metadata) is not null)
        {
            errors = errors.Concat([ProblemMapping.Of("unauthorized"), ProblemMapping.Of("forbidden")]);
        }

        IOpenApiSchema schema = context.SchemaGenerator.GenerateSchema(typeof(Problem), context.SchemaRepository);
        string instance = "/" + context.ApiDescription.RelativePath;
        foreach (IGrouping<int, ProblemKind> kinds in errors.OrderBy(k => k.Status).GroupBy(k => k.Status))
        {
            var response = new OpenApiResponse
            {
                Description = string.Join(" ", kinds.Select(k => $"`{k.Code}`: {k.Title}")),
                Content = new Dictionary<string, IOpenApiMediaType>
                {
                    [ProblemWriter.ContentType] = new OpenApiMediaType
                    {
                        Schema = schema,
                        Examples = kinds.ToDictionary(k => k.Code, IOpenApiExample (k) => Example(k, instance)),
                    },
                },
            };
            if (kinds.Any(k => k.RetryAfterSeconds is not null))
            {
                response.Headers = new Dictionary<string, IOpenApiHeader> { ["Retry-After"] = ResponseHeaders.RetryAfter };
            }

            if (kinds.Key is StatusCodes.Status401Unauthorized or StatusCodes.Status403Forbidden)
            {
                response.Headers = new Dictionary<string, IOpenApiHeader> { ["WWW-Authenticate"] = ResponseHeaders.Challenge };
            }

            operation.Responses ??= [];
            operation.Responses[kinds.Key.ToString(CultureInfo.InvariantCulture)] = response;
        }
    }

    private static OpenApiExample Example(ProblemKind kind, string instance)
    {
        var problem = new Problem(
            kind.Type,
            kind.Title,
            kind.Status,
            Examples.DetailOf(kind.Code),
            instance,
            kind.Code,
            TraceId,
            kind.Code == "invalid_request" ? Examples.Errors : null,
            kind.Code == "server_busy" ? Links.Job(Examples.JobId) : null,
            kind.Code == "server_ambiguous" ? Examples.ServerIds : null);
        return new OpenApiExample { Summary = kind.Title, Value = JsonSerializer.SerializeToNode(problem, ApiJson.Problems) };
    }
}
