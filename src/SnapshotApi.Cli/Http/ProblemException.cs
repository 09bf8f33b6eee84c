using System.Text.Json;
using SnapshotApi.Cli.Contracts;

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

    /// <summary>What the process tells the shell.</summary>
    public int ExitCode => Status switch
    {
        401 or 403 => Cli.ExitCode.Denied,
        404 or 410 => Cli.ExitCode.NotFound,
        409 or 429 => Cli.ExitCode.Conflict,
        >= 500 => Cli.ExitCode.Unavailable,
        _ => Cli.ExitCode.Usage,
    };
}
