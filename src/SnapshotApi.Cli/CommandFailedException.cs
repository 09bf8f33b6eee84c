namespace SnapshotApi.Cli;

/// <summary>The client itself failed: a file can't be written, a download is not the image.</summary>
/// <param name="exitCode">A value of <see cref="Cli.ExitCode"/>.</param>
/// <param name="code">Stable snake_case code for <c>--json</c>.</param>
/// <param name="message">What happened.</param>
/// <param name="inner">Why.</param>
internal sealed class CommandFailedException(int exitCode, string code, string message, Exception? inner = null)
    : Exception(message, inner)
{
    /// <summary>What the process tells the shell.</summary>
    public int ExitCode { get; } = exitCode;

    /// <summary>Stable code.</summary>
    public string Code { get; } = code;
}
