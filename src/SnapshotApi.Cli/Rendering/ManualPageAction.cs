using System.CommandLine;
using System.CommandLine.Invocation;

namespace SnapshotApi.Cli.Rendering;

/// <summary>Answers <c>--help</c> with the manual page of the command that it stands after.</summary>
internal sealed class ManualPageAction(int width) : SynchronousCommandLineAction
{
    /// <inheritdoc/>
    public override bool Terminating => true;

    /// <summary>Help is given for a command line that is not complete, too.</summary>
    public override bool ClearsParseErrors => true;

    /// <inheritdoc/>
    public override int Invoke(ParseResult parseResult)
    {
        ManualPage.Write(parseResult.CommandResult.Command, parseResult.InvocationConfiguration.Output, width);
        return ExitCode.Ok;
    }
}
