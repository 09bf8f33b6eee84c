using System.Text.Json;
using SnapshotApi.Errors;

namespace SnapshotApi.Api.Validation;

/// <summary>Reads the body of a change to a job and reports all that is wrong with it at once.</summary>
internal static class JobPatchReader
{
    /// <summary>Every member of the body.</summary>
    public static IReadOnlyList<string> Members { get; } = ["bandwidthBytesPerSecond"];

    /// <summary>Reads a body.</summary>
    /// <param name="body">UTF-8 JSON.</param>
    /// <exception cref="SnapshotException">invalid_request, with every wrong member.</exception>
    public static JobChange Read(ReadOnlyMemory<byte> body)
    {
        var errors = new FieldErrors();
        using JsonDocument document = JsonBody.Parse(body, "it must be a JSON object", errors);
        var fields = new JsonFields(document.RootElement, Members, errors);
        var change = new JobChange(
            fields.Has("bandwidthBytesPerSecond"),
            fields.Number("bandwidthBytesPerSecond", SnapshotRequestReader.MinBandwidth, SnapshotRequestReader.MaxBandwidth));
        errors.ThrowIfAny();
        return change;
    }
}

/// <summary>A change to a job.</summary>
/// <param name="ChangesBandwidth">The limit is to change.</param>
/// <param name="BandwidthBytesPerSecond">What to; null lifts it.</param>
internal sealed record JobChange(bool ChangesBandwidth, long? BandwidthBytesPerSecond);
