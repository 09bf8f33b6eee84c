using System.Diagnostics;

namespace SnapshotApi.Tests.Nbd;

/// <summary>A QEMU process that has a qcow2 file open for writing, with QEMU's locks, until it is disposed.</summary>
internal sealed class ImageWriter(string path) : IAsyncDisposable
{
    private Process? _process;

    public int ProcessId => _process!.Id;

    /// <summary>Opens it; on return it is open.</summary>
    public async Task OpenAsync()
    {
        _process = Process.Start(new ProcessStartInfo("qemu-io", ["-f", "qcow2", path])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        })!;
        await _process.StandardInput.WriteLineAsync("length");
        Assert.NotNull(await _process.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken));
    }

    public async ValueTask DisposeAsync()
    {
        _process!.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
    }
}
