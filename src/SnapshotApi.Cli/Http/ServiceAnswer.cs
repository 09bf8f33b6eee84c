using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace SnapshotApi.Cli.Http;

/// <summary>An answer of the service that is no error.</summary>
/// <param name="Status">HTTP status: 200, 202, 204 or 304; 503 for a health report.</param>
/// <param name="Body">Its JSON; undefined for 204, 304 and an empty answer.</param>
/// <param name="ETag">Version of what was answered, quoted as it came; null when none was given.</param>
internal sealed record ServiceAnswer(int Status, JsonElement Body, string? ETag)
{
    /// <summary>Nothing has changed since the ETag that was sent.</summary>
    public bool IsUnchanged => Status == 304;

    /// <summary>The body as a document.</summary>
    /// <exception cref="ServiceUnreachableException">It is none of ours.</exception>
    public T Read<T>(JsonTypeInfo<T> type) => Read(Body, type);

    /// <summary>An element as a document.</summary>
    /// <exception cref="ServiceUnreachableException">It is none of ours.</exception>
    public static T Read<T>(JsonElement element, JsonTypeInfo<T> type)
    {
        try
        {
            return element.Deserialize(type) ?? throw new ServiceUnreachableException("the answer holds null where a document belongs");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new ServiceUnreachableException($"the answer is not one of SnapshotApi: {e.Message}", e);
        }
    }
}
