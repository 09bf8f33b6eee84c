using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
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

/// <summary>Headers of answers, described.</summary>
internal static class ResponseHeaders
{
    public static OpenApiHeader RetryAfter => Of("Seconds after which to ask again.", JsonSchemaType.Integer);

    public static OpenApiHeader Challenge => Of("How to say who asks, as RFC 6750 writes it.");

    public static OpenApiHeader Location => Of("Address of the job.");

    public static OpenApiHeader ETag => Of("Version of what was sent, for If-None-Match.");

    public static OpenApiHeader Link => Of("Address of the next page, with rel=\"next\".");

    public static OpenApiHeader ReprDigest => Of("Digest of the whole file, as RFC 9530 writes it.");

    public static OpenApiHeader ContentDisposition => Of("Name under which to keep the file.");

    private static OpenApiHeader Of(string description, JsonSchemaType type = JsonSchemaType.String) =>
        new() { Description = description, Schema = new OpenApiSchema { Type = type } };
}

/// <summary>Gives answers and bodies their examples, and answers their headers.</summary>
internal sealed class SuccessResponseFilter : IOperationFilter
{
    public void Apply(OpenApiOperation operation, OperationFilterContext context)
    {
        switch (operation.OperationId)
        {
            case "createSnapshot":
                AddRequests(operation);
                AddAnswer(operation, "202", ("accepted", "The job was accepted", Examples.Queued));
                AddHeaders(operation, "202", ("Location", ResponseHeaders.Location), ("Retry-After", ResponseHeaders.RetryAfter), ("ETag", ResponseHeaders.ETag));
                break;
            case "getJob":
                AddAnswer(
                    operation,
                    "200",
                    ("running", "The image is on its way", Examples.Running),
                    ("succeeded", "The image is in the store", Examples.Succeeded),
                    ("failed", "The job failed", Examples.Failed));
                AddHeaders(operation, "200", ("ETag", ResponseHeaders.ETag), ("Retry-After", ResponseHeaders.RetryAfter));
                break;
            case "changeJob":
                AddAnswer(operation, "200", ("limited", "The limit holds", Examples.Limited));
                AddHeaders(operation, "200", ("ETag", ResponseHeaders.ETag), ("Retry-After", ResponseHeaders.RetryAfter));
                break;
            case "cancelJob":
                AddAnswer(operation, "202", ("cancelling", "The node undoes what it did", Examples.Running));
                AddHeaders(operation, "202", ("Location", ResponseHeaders.Location), ("Retry-After", ResponseHeaders.RetryAfter), ("ETag", ResponseHeaders.ETag));
                break;
            case "listJobs" or "listSnapshots" or "listServers" or "listImages":
                AddHeaders(operation, "200", ("Link", ResponseHeaders.Link));
                break;
            case "downloadImage" or "describeImageFile":
                AddHeaders(
                    operation,
                    "200",
                    ("ETag", ResponseHeaders.ETag),
                    ("Repr-Digest", ResponseHeaders.ReprDigest),
                    ("Content-Disposition", ResponseHeaders.ContentDisposition));
                break;
        }
    }

    private static void AddRequests(OpenApiOperation operation)
    {
        if (operation.RequestBody is not OpenApiRequestBody { Content: { } content } body)
        {
            return;
        }

        body.Required = true;
        body.Description = "What to snapshot, and how; at most 64 KiB.";
        ((OpenApiMediaType)content["application/json"]).Examples = Examples.Requests.ToDictionary(
            r => r.Name, IOpenApiExample (r) => new OpenApiExample { Summary = r.Summary, Value = JsonNode.Parse(r.Json) });
    }

    private static void AddAnswer(OpenApiOperation operation, string status, params (string Name, string Summary, object Value)[] examples)
    {
        if (operation.Responses?[status].Content?["application/json"] is OpenApiMediaType content)
        {
            content.Examples = examples.ToDictionary(
                e => e.Name,
                IOpenApiExample (e) => new OpenApiExample { Summary = e.Summary, Value = JsonSerializer.SerializeToNode(e.Value, ApiJson.Options) });
        }
    }

    private static void AddHeaders(OpenApiOperation operation, string status, params (string Name, OpenApiHeader Header)[] headers)
    {
        if (operation.Responses?[status] is OpenApiResponse response)
        {
            response.Headers = headers.ToDictionary(h => h.Name, IOpenApiHeader (h) => h.Header);
        }
    }
}
