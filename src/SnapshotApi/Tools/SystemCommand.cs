using System.Text;
using CliWrap;

namespace SnapshotApi.Tools;

/// <summary>
/// A program of the system that a person waits for, and that is trusted: no limits. What reads guests' disks goes
/// through <see cref="ChildProcess"/>.
/// </summary>
internal static class SystemCommand
{
    private static readonly string[] Directories = ["/usr/bin", "/usr/sbin", "/bin", "/sbin"];

    /// <summary>
    /// The path of a program of the system; its name where it is not there. .NET would look into the current directory
    /// before it looks into PATH.
    /// </summary>
    public static string Locate(string program) =>
        Directories.Select(directory => Path.Combine(directory, program)).FirstOrDefault(File.Exists) ?? program;

    /// <summary>Runs it to its end.</summary>
    /// <param name="program">Name.</param>
    /// <param name="input">Its standard input.</param>
    /// <returns>What it said; exit status 127 when there is no such program.</returns>
    public static async Task<SystemAnswer> RunAsync(
        string program, IReadOnlyList<string> arguments, string input, CancellationToken cancellationToken)
    {
        var output = new StringBuilder();
        var error = new StringBuilder();
        try
        {
            CommandResult result = await Cli.Wrap(Locate(program))
                .WithArguments(arguments)
                .WithStandardInputPipe(PipeSource.FromString(input))
                .WithStandardOutputPipe(PipeTarget.ToStringBuilder(output))
                .WithStandardErrorPipe(PipeTarget.ToStringBuilder(error))
                .WithValidation(CommandResultValidation.None)
                .ExecuteAsync(cancellationToken).ConfigureAwait(false);
            return new SystemAnswer(result.ExitCode, output.ToString().TrimEnd(), error.ToString().Trim());
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            return new SystemAnswer(SystemAnswer.NotFound, string.Empty, $"{program}: {e.Message}");
        }
    }
}

/// <summary>What a program said.</summary>
/// <param name="Output">Standard output, without line breaks at its end.</param>
/// <param name="Error">Standard error, trimmed.</param>
internal sealed record SystemAnswer(int ExitStatus, string Output, string Error)
{
    /// <summary>The shell's exit status for a program that is not there.</summary>
    public const int NotFound = 127;

    public bool IsFound => ExitStatus != NotFound;

    public bool IsGood => ExitStatus == 0;
}
