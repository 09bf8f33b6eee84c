using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.OpenApi;
using Swashbuckle.AspNetCore.SwaggerGen;

namespace SnapshotApi.Api.OpenApi;

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
