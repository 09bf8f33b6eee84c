using System.Text.Json.Nodes;
using Microsoft.OpenApi;
using SnapshotApi.Api.Access;
using SnapshotApi.Contracts;
using Swashbuckle.AspNetCore.SwaggerGen;

namespace SnapshotApi.Api.OpenApi;

/// <summary>Documents the errors of an operation: a response for each status, with an example of each code.</summary>
internal sealed class ProblemResponseFilter : IOperationFilter
{
    private const string TraceId = "4bf92f3577b34da6a3ce929d0e0e4736";

    private static readonly string[] AccessErrors = ["unauthorized", "forbidden", "identity_unavailable"];

    public void Apply(OpenApiOperation operation, OperationFilterContext context)
    {
        IList<object> metadata = context.ApiDescription.ActionDescriptor.EndpointMetadata;
        IEnumerable<ProblemKind> errors = metadata.OfType<ErrorCodes>().FirstOrDefault()?.Kinds ?? [];
        if (AccessPolicies.RoleOf(metadata) is not null)
        {
            errors = errors.Concat(AccessErrors.Select(ProblemMapping.Of));
        }

        IOpenApiSchema schema = context.SchemaGenerator.GenerateSchema(typeof(Problem), context.SchemaRepository);
        string instance = "/" + context.ApiDescription.RelativePath;
        operation.Responses ??= [];
        foreach (IGrouping<int, ProblemKind> kinds in errors.OrderBy(k => k.Status).GroupBy(k => k.Status))
        {
            // An operation may have an answer of its own with that status.
            string status = kinds.Key.ToString(CultureInfo.InvariantCulture);
            var response = operation.Responses.GetValueOrDefault(status) as OpenApiResponse ?? new OpenApiResponse();
            response.Description = string.Join(
                ' ',
                kinds.Select(k => $"`{k.Code}`: {k.Title}").Prepend(response.Description).Where(d => d is not null));
            response.Content ??= new Dictionary<string, IOpenApiMediaType>();
            response.Content[ProblemWriter.ContentType] = new OpenApiMediaType
            {
                Schema = schema,
                Examples = kinds.ToDictionary(k => k.Code, IOpenApiExample (k) => Example(k, instance)),
            };
            if (kinds.Any(k => k.RetryAfterSeconds is not null))
            {
                response.Headers = ResponseHeaders.Of(("Retry-After", ResponseHeaders.RetryAfter));
            }

            if (kinds.Key is StatusCodes.Status401Unauthorized or StatusCodes.Status403Forbidden)
            {
                response.Headers = ResponseHeaders.Of(("WWW-Authenticate", ResponseHeaders.Challenge));
            }

            operation.Responses[status] = response;
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
            kind.Code == "server_busy" ? Examples.Links.Job(Examples.JobId) : null,
            kind.Code == "server_ambiguous" ? Examples.ServerIds : null);
        return new OpenApiExample
        {
            Summary = kind.Title,
            Value = JsonSerializer.SerializeToNode(problem, ApiJson.Problems),
        };
    }
}

/// <summary>Headers of answers, described.</summary>
internal static class ResponseHeaders
{
    public static OpenApiHeader RetryAfter => Header("Seconds after which to ask again.", JsonSchemaType.Integer);

    public static OpenApiHeader Challenge => Header("How to authenticate, in the form of RFC 6750.");

    public static OpenApiHeader Location => Header("Address of the job.");

    public static OpenApiHeader NodeLocation => Header("Address of the node.");

    public static OpenApiHeader ETag => Header("Version of what was sent, for If-None-Match.");

    public static OpenApiHeader Link => Header("Address of the next page, with rel=\"next\".");

    public static OpenApiHeader ReprDigest => Header("Digest of the whole file, in the form of RFC 9530.");

    public static OpenApiHeader ContentDisposition => Header("Name under which to keep the file.");

    public static OpenApiHeader AcceptRanges => Header("`bytes`: ranges can be asked for.");

    public static OpenApiHeader ContentRange => Header("The range that was sent, and the length of the file.");

    /// <summary>The headers of an answer.</summary>
    public static Dictionary<string, IOpenApiHeader> Of(params (string Name, OpenApiHeader Header)[] headers) =>
        headers.ToDictionary(h => h.Name, IOpenApiHeader (h) => h.Header);

    private static OpenApiHeader Header(string description, JsonSchemaType type = JsonSchemaType.String) =>
        new() { Description = description, Schema = new OpenApiSchema { Type = type } };
}

/// <summary>Describes the headers of requests and answers, and gives bodies and answers their examples.</summary>
internal sealed class SuccessResponseFilter : IOperationFilter
{
    private static readonly (string Name, OpenApiHeader Header) Location = ("Location", ResponseHeaders.Location);

    private static readonly (string Name, OpenApiHeader Header) ContentRange =
        ("Content-Range", ResponseHeaders.ContentRange);

    private static readonly (string Name, OpenApiHeader Header)[] JobHeaders =
        [("ETag", ResponseHeaders.ETag), ("Retry-After", ResponseHeaders.RetryAfter)];

    private static readonly (string Name, OpenApiHeader Header)[] FileHeaders =
    [
        ("ETag", ResponseHeaders.ETag),
        ("Repr-Digest", ResponseHeaders.ReprDigest),
        ("Content-Disposition", ResponseHeaders.ContentDisposition),
        ("Accept-Ranges", ResponseHeaders.AcceptRanges),
    ];

    public void Apply(OpenApiOperation operation, OperationFilterContext context)
    {
        switch (operation.OperationId)
        {
            case "createSnapshot":
                AddRequests(operation);
                AddAnswer(operation, "202", ("accepted", "The job was accepted", Examples.Queued));
                AddHeaders(operation, "202", [Location, .. JobHeaders]);
                break;
            case "getJob":
                AddParameter(operation, "If-None-Match", "ETag of the job: 304 if it is the current one.");
                AddAnswer(
                    operation,
                    "200",
                    ("running", "The image is being sent", Examples.Running),
                    ("succeeded", "The image is in the store", Examples.Succeeded),
                    ("failed", "The job failed", Examples.Failed));
                AddHeaders(operation, "200", JobHeaders);
                AddHeaders(operation, "304", JobHeaders);
                break;
            case "changeJob":
                AddAnswer(operation, "200", ("limited", "The limit holds", Examples.Limited));
                AddHeaders(operation, "200", JobHeaders);
                break;
            case "cancelJob":
                AddAnswer(operation, "202", ("cancelling", "The node undoes what it did", Examples.Running));
                AddHeaders(operation, "202", [Location, .. JobHeaders]);
                break;
            case "checkNode":
                AddHeaders(operation, "202", ("Location", ResponseHeaders.NodeLocation));
                break;
            case "listJobs" or "listSnapshots" or "listServers" or "listImages":
                AddHeaders(operation, "200", ("Link", ResponseHeaders.Link));
                break;
            case "downloadImage" or "describeImageFile":
                AddParameter(operation, "Range", "One range of bytes, for example `bytes=1048576-`.");
                AddParameter(operation, "If-Range", "ETag of the file: if it is another one, the range is ignored.");
                AddParameter(operation, "If-None-Match", "ETag of the file: 304 if it is the current one.");
                AddHeaders(operation, "200", FileHeaders);
                AddHeaders(operation, "206", [.. FileHeaders, ContentRange]);
                AddHeaders(operation, "416", ContentRange);
                break;
        }
    }

    private static void AddParameter(OpenApiOperation operation, string header, string description)
    {
        operation.Parameters ??= [];
        operation.Parameters.Add(new OpenApiParameter
        {
            Name = header,
            In = ParameterLocation.Header,
            Description = description,
            Schema = new OpenApiSchema { Type = JsonSchemaType.String },
        });
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
            r => r.Name,
            IOpenApiExample (r) => new OpenApiExample { Summary = r.Summary, Value = JsonNode.Parse(r.Json) });
    }

    private static void AddAnswer(
        OpenApiOperation operation, string status, params (string Name, string Summary, object Value)[] examples)
    {
        if (operation.Responses?[status].Content?["application/json"] is OpenApiMediaType content)
        {
            content.Examples = examples.ToDictionary(
                e => e.Name,
                IOpenApiExample (e) => new OpenApiExample
                {
                    Summary = e.Summary,
                    Value = JsonSerializer.SerializeToNode(e.Value, ApiJson.Options),
                });
        }
    }

    private static void AddHeaders(
        OpenApiOperation operation, string status, params (string Name, OpenApiHeader Header)[] headers)
    {
        if (operation.Responses?.GetValueOrDefault(status) is OpenApiResponse response)
        {
            response.Headers = ResponseHeaders.Of(headers);
        }
    }
}
