using System.Text.Json;
using SnapshotApi.Errors;

namespace SnapshotApi.Api.Validation;

/// <summary>A body that must be a JSON object.</summary>
internal static class JsonBody
{
    /// <summary>Parses a body; the caller disposes the document.</summary>
    /// <param name="body">UTF-8 JSON.</param>
    /// <param name="rule">What an empty body should have been.</param>
    /// <param name="errors">Gets what is wrong.</param>
    /// <exception cref="SnapshotException">invalid_request: it is not a JSON object.</exception>
    public static JsonDocument Parse(ReadOnlyMemory<byte> body, string rule, FieldErrors errors)
    {
        if (body.IsEmpty)
        {
            errors.Add("body", $"is empty; {rule}");
            throw errors.ToException();
        }

        JsonDocument document;
        try
        {
            document = JsonDocument.Parse(body);
        }
        catch (JsonException e)
        {
            errors.Add("body", $"is not valid JSON at line {e.LineNumber + 1}, byte {e.BytePositionInLine + 1}");
            throw errors.ToException();
        }

        if (document.RootElement.ValueKind != JsonValueKind.Object)
        {
            document.Dispose();
            errors.Add("body", "must be a JSON object");
            throw errors.ToException();
        }

        return document;
    }
}
