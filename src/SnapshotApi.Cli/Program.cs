using System.Runtime.InteropServices;

namespace SnapshotApi.Cli;

/// <summary>The process: terminal, signals, exit status.</summary>
internal static class Program
{
    private static async Task<int> Main(string[] args)
    {
        using var interrupted = new CancellationTokenSource();
        PosixSignal first = default;

        // After the first signal the command says what goes on without it; the second one ends the process at once.
        void Interrupt(PosixSignalContext context)
        {
            context.Cancel = !interrupted.IsCancellationRequested;
            first = context.Cancel ? context.Signal : first;
            interrupted.Cancel();
        }

        using var onInterrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Interrupt);
        using var onTerminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Interrupt);
        int status = await SnapshotCtl.RunAsync(args, CliTerminal.OfProcess(), interrupted.Token).ConfigureAwait(false);
        return status == ExitCode.Interrupted && first == PosixSignal.SIGTERM ? ExitCode.Terminated : status;
    }
}
