using System.Text.Json;
using System.Text.Json.Serialization;

namespace SnapshotApi.Cli.Http;

/// <summary>The service refused or failed a call, and said why in a problem document (RFC 9457).</summary>
internal sealed class ProblemException(int status, ProblemDocument problem, JsonElement document)
    : Exception(problem.Detail ?? problem.Title)
{
    /// <summary>HTTP status.</summary>
    public int Status { get; } = status;

    /// <summary>The problem.</summary>
    public ProblemDocument Problem { get; } = problem;

    /// <summary>The problem as it came.</summary>
    public JsonElement Document { get; } = document;

    /// <summary>Exit status of the process.</summary>
    public int ExitCode => Status switch
    {
        401 or 403 => Cli.ExitCode.Denied,
        404 or 410 => Cli.ExitCode.NotFound,
        409 or 429 => Cli.ExitCode.Conflict,
        >= 500 => Cli.ExitCode.Unavailable,
        _ => Cli.ExitCode.Usage,
    };
}

/// <summary>A problem document (RFC 9457). A proxy may send one, too, so every member may be missing.</summary>
internal sealed record ProblemDocument
{
    public string? Title { get; init; }

    public int? Status { get; init; }

    public string? Detail { get; init; }

    /// <summary>Stable snake_case code, for example <c>server_busy</c>.</summary>
    public string? Code { get; init; }

    /// <summary>Every wrong field with its errors.</summary>
    public Dictionary<string, IReadOnlyList<string>>? Errors { get; init; }

    /// <summary>All other members, for example the UUIDs that share a name.</summary>
    [JsonExtensionData]
    public Dictionary<string, JsonElement>? Others { get; set; }
}
