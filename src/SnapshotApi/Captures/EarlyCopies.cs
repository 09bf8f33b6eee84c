namespace SnapshotApi.Captures;

/// <summary>
/// Copies top layers while the memory of their guest is being saved. Its processors stand still by then, and QEMU writes no more than it had
/// not written yet: a copy is good when its file was not written to from before the copy began until QEMU was gone. One that is not good is
/// made anew when the guest is saved, as if there had been none. Disposing stops it and waits for its end.
/// </summary>
internal sealed class EarlyCopies : IAsyncDisposable
{
    private readonly CancellationTokenSource _saved = new();
    private readonly CancellationTokenSource _stop;
    private readonly Task _thread;

    /// <summary>Begins, one after the other; clones need none.</summary>
    /// <param name="copies">What is to be copied.</param>
    /// <param name="writerAppeared">Stops it.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public EarlyCopies(IReadOnlyList<TopLayerCopy> copies, CancellationToken writerAppeared, CancellationToken cancellationToken)
    {
        _stop = CancellationTokenSource.CreateLinkedTokenSource(writerAppeared, cancellationToken);
        TopLayerCopy[] real = [.. copies.Where(c => !c.IsClone)];
        _thread = real.Length == 0
            ? Task.CompletedTask
            : Task.Factory.StartNew(() => CopyAll(real), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    /// <summary>The guest is saved: what was not begun is copied in its turn.</summary>
    public void EndWaiting() => _saved.Cancel();

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _thread.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _saved.Dispose();
        _stop.Dispose();
    }

    private void CopyAll(TopLayerCopy[] copies)
    {
        foreach (TopLayerCopy copy in copies)
        {
            copy.CopyEarly(_saved.Token, _stop.Token);
        }
    }
}
