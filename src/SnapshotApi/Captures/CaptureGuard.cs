using SnapshotApi.Hypervisor;

namespace SnapshotApi.Captures;

/// <summary>Watches, while views are read, for what ruins them: a stop, an I/O error of QEMU's, low space.</summary>
internal sealed class CaptureGuard(IServerWatch watch, TimeProvider time) : IAsyncDisposable
{
    // Reason of the I/O error event.
    // https://libvirt.org/html/libvirt-libvirt-domain.html#virConnectDomainEventIOErrorReasonCallback
    private const string NoSpaceReason = "enospc";

    private readonly CancellationTokenSource _stop = new();
    private Task _loop = Task.CompletedTask;

    /// <param name="check">Null: all is well. If it throws, the views are lost, too.</param>
    /// <param name="interval">How often <paramref name="check"/> is made; events act at once.</param>
    public void Begin(CapturedDisks captured, string serverName, Func<SnapshotException?> check, TimeSpan interval) =>
        _loop = WatchAsync(captured, serverName, check, interval, _stop.Token);

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _loop.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        watch.Dispose();
        _stop.Dispose();
    }

    private async Task WatchAsync(
        CapturedDisks captured, string serverName, Func<SnapshotException?> check, TimeSpan interval,
        CancellationToken stop)
    {
        using var wake = CancellationTokenSource.CreateLinkedTokenSource(stop, watch.Stopped, watch.IoError);
        while (!stop.IsCancellationRequested)
        {
            SnapshotException? reason = watch.Stopped.IsCancellationRequested
                ? new SnapshotException(
                    SnapshotErrorCode.ServerStopped,
                    $"server {serverName} stopped while its disk was read: {watch.Reason}")
                : watch.IoError.IsCancellationRequested ? IoError(serverName) : Check(check);
            if (reason is not null)
            {
                captured.Lose(reason);
                return;
            }

            await Task.Delay(interval, time, wake.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static SnapshotException? Check(Func<SnapshotException?> check)
    {
        try
        {
            return check();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return new SnapshotException(
                SnapshotErrorCode.NoSpace, "the free space of the node's work directory can't be told any more", e);
        }
    }

    private SnapshotException IoError(string serverName)
    {
        string why = watch.Reason is { Length: > 0 } reason ? $": {reason}" : "";
        return watch.Reason == NoSpaceReason
            ? new SnapshotException(
                SnapshotErrorCode.NoSpace,
                $"QEMU found no space to write to while the disk of server {serverName} was read")
            : new SnapshotException(
                SnapshotErrorCode.CopySourceFailed,
                $"QEMU reported an I/O error of server {serverName} while its disk was read{why}");
    }
}
