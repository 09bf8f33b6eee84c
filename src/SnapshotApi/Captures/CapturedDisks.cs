using SnapshotApi.Hypervisor;
using SnapshotApi.Journal;
using SnapshotApi.Tools;

namespace SnapshotApi.Captures;

/// <summary>
/// Stable views of the disks of a server, all of one instant. The caller closes its readers, disposes this, and then
/// lets the journal undo: in that order, for QEMU crashed when its NBD server was stopped under a connected client
/// (CVE-2024-7409).
/// </summary>
internal sealed class CapturedDisks : IAsyncDisposable
{
    private readonly List<IAsyncDisposable> _owned = [];
    private readonly CancellationTokenSource _lost = new();
    private SnapshotException? _lostReason;

    /// <summary>One view for each disk of the request, in its order.</summary>
    public IReadOnlyList<DiskView> Views { get; set; } = [];

    public required Consistency Consistency { get; init; }

    /// <summary>How long the guest did not execute; may still grow while the views are open.</summary>
    public required Func<GuestDowntime> Downtime { get; init; }

    /// <summary>How long its file systems were frozen.</summary>
    public required TimeSpan Freeze { get; init; }

    /// <summary>How many file systems the guest agent froze.</summary>
    public int FrozenFileSystems { get; init; }

    /// <summary>Cancelled when the views are no longer good.</summary>
    public CancellationToken Lost => _lost.Token;

    /// <summary>Why the views are no longer good; null while they are.</summary>
    public SnapshotException? LostReason => _lostReason;

    /// <summary>Those of a guest that was off or saved at the instant.</summary>
    public static CapturedDisks OfSaved(DowntimeClock downtime) =>
        new() { Consistency = Consistency.Offline, Downtime = () => downtime.Elapsed, Freeze = TimeSpan.Zero };

    /// <summary>Disposed with the views, in reverse order.</summary>
    public void Own(IAsyncDisposable resource) => _owned.Add(resource);

    /// <summary>The views are no longer good. The first reason stands.</summary>
    public void Lose(SnapshotException reason)
    {
        if (Interlocked.CompareExchange(ref _lostReason, reason, null) is null)
        {
            _lost.Cancel();
        }
    }

    public async ValueTask DisposeAsync()
    {
        while (_owned is [.., var last])
        {
            _owned.Remove(last);
            await last.DisposeAsync().ConfigureAwait(false);
        }

        _lost.Dispose();
    }
}

/// <summary>What a capture hands out for one disk: a stable, read-only NBD endpoint.</summary>
/// <param name="Target">The disk's name, for example <c>vda</c>.</param>
internal sealed record DiskView(string Target, NbdEndpoint Endpoint);

/// <summary>Serves the disks of a capture from files of the host.</summary>
internal static class DiskServing
{
    /// <summary>Starts a qemu-nbd for each disk, journalled; they live as long as the capture.</summary>
    /// <param name="captured">Gets the views.</param>
    /// <param name="disks">Each disk with its chain, top layer first.</param>
    /// <param name="internalSnapshot">Internal snapshot to serve; null: the current state.</param>
    public static async Task ServeAsync(
        QemuNbd qemuNbd, CapturedDisks captured, IReadOnlyList<(string Target, IReadOnlyList<DiskLayer> Chain)> disks,
        string? internalSnapshot, JobDirectory directory, JobJournal journal, CancellationToken cancellationToken)
    {
        try
        {
            foreach ((string target, IReadOnlyList<DiskLayer> chain) in disks)
            {
                // The number names the socket, whatever the disk is called.
                string name = string.Create(CultureInfo.InvariantCulture, $"{captured.Views.Count}.sock");
                string socket = Path.Combine(directory.Path, name);
                journal.Add(new EndProcess(socket));
                QemuNbdServer server = await qemuNbd.StartAsync(
                    chain, socket, internalSnapshot, directory.Reader, cancellationToken).ConfigureAwait(false);
                captured.Own(server);
                captured.Views = [.. captured.Views, new DiskView(target, server.Endpoint)];
            }
        }
        catch
        {
            await captured.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Refuses, before the guest is touched, disks whose chain qemu-nbd could not serve later.</summary>
    /// <exception cref="SnapshotException">unsupported_disk.</exception>
    public static async Task RequireServableAsync(
        QemuNbd qemuNbd, IReadOnlyList<DiskDescription> disks, JobDirectory directory,
        CancellationToken cancellationToken)
    {
        for (int i = 0; i < disks.Count; i++)
        {
            // A qemu-nbd dies with the service; only its socket could be left.
            string socket = directory.Reserve(string.Create(CultureInfo.InvariantCulture, $"{i}.trial"));
            try
            {
                await qemuNbd.TryAsync(disks[i].Layers, socket, directory.Reader, cancellationToken)
                    .ConfigureAwait(false);
            }
            catch (SnapshotException e) when (e.Code == SnapshotErrorCode.ToolFailed)
            {
                throw new SnapshotException(
                    SnapshotErrorCode.UnsupportedDisk,
                    $"disk {disks[i].Target}, of {disks[i].Layers.Count} layers, "
                    + "can't be opened by this node's qemu-nbd",
                    e);
            }
        }
    }
}
