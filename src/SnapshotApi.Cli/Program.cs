using System.Runtime.InteropServices;

namespace SnapshotApi.Cli;

/// <summary>The process: terminal, signals, exit code.</summary>
internal static class Program
{
    private static async Task<int> Main(string[] args)
    {
        using var interrupted = new CancellationTokenSource();

        // The first signal lets the command say what goes on without it; the second ends the process at once.
        void Interrupt(PosixSignalContext context)
        {
            context.Cancel = !interrupted.IsCancellationRequested;
            interrupted.Cancel();
        }

        using var onInterrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Interrupt);
        using var onTerminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Interrupt);
        return await SnapshotCtl.RunAsync(args, CliTerminal.OfProcess(), interrupted.Token).ConfigureAwait(false);
    }
}
