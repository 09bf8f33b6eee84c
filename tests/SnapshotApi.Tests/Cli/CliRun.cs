using SnapshotApi.Cli;
using SnapshotApi.Tests.Fakes;

namespace SnapshotApi.Tests.Cli;

/// <summary>One run of <c>snapshotctl</c> within the test process.</summary>
internal sealed record CliRun(int ExitCode, string Output, string Error)
{
    public static Task<CliRun> OfAsync(FakeService service, params string[] args) => OfAsync(service, new HastyTimeProvider(), args);

    public static Task<CliRun> OfAsync(FakeService service, TimeProvider time, params string[] args) =>
        OfAsync(["--url", service.Url, .. args], time, terminal: false, TestContext.Current.CancellationToken);

    public static async Task<CliRun> OfAsync(
        IReadOnlyList<string> args, TimeProvider time, bool terminal, CancellationToken cancellationToken, params (string, string)[] environment)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var surroundings = new CliTerminal(TextWriter.Synchronized(output), TextWriter.Synchronized(error))
        {
            OutputIsTerminal = terminal,
            ErrorIsTerminal = terminal,
            Width = 100,
            Time = time,
            Environment = environment.ToDictionary(e => e.Item1, e => e.Item2),
        };
        int exitCode = await SnapshotCtl.RunAsync(args, surroundings, cancellationToken);
        return new CliRun(exitCode, output.ToString(), error.ToString());
    }
}
