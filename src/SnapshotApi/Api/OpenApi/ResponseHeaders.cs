using Microsoft.OpenApi;

namespace SnapshotApi.Api.OpenApi;

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
