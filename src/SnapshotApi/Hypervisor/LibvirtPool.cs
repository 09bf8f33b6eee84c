using SnapshotApi.Host;
using SnapshotApi.Libvirt;

namespace SnapshotApi.Hypervisor;

/// <summary>
/// Connections for calls of one purpose. libvirtd reads a client's next request, keepalive included, only while fewer
/// than five are unanswered (<c>max_client_requests</c> of libvirtd.conf), and cuts a connection with five slow calls:
/// so each takes a few, and another is opened when all are taken. Thread-safe; the caller disposes it.
/// </summary>
/// <param name="mostCalls">How many calls may be in flight at once; more are refused.</param>
internal sealed class LibvirtPool(string uri, int mostCalls = int.MaxValue) : IDisposable
{
    // Two less than libvirtd's default: a call that another client's job makes slow must leave room for the keepalive.
    private const int MaxCallsPerConnection = 3;

    private readonly Lock _lock = new();
    private readonly List<Slot> _slots = [];
    private bool _disposed;

    /// <summary>Makes a call on a thread of its own; it ends when libvirt has answered, whatever that takes.</summary>
    /// <exception cref="LibvirtException">libvirt refused or failed it.</exception>
    public Task<T> RunAsync<T>(Func<LibvirtConnection, T> call) => OwnThread.RunAsync(() => Run(call));

    public void Dispose()
    {
        List<Slot> slots;
        lock (_lock)
        {
            _disposed = true;
            slots = [.. _slots];
            _slots.Clear();
        }

        slots.ForEach(s => s.Session.Dispose());
    }

    private T Run<T>(Func<LibvirtConnection, T> call)
    {
        Slot slot = Enter();
        try
        {
            return call(slot.Session.GetConnection());
        }
        catch (LibvirtException e)
        {
            slot.Session.ReportFailure(e);
            throw;
        }
        finally
        {
            Leave(slot);
        }
    }

    private Slot Enter()
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (_slots.Sum(s => s.Calls) >= mostCalls)
            {
                throw new LibvirtException(
                    "virConnectOpen", LibvirtErrorCode.NoConnect, LibvirtErrorSource.None,
                    $"{mostCalls} calls have not been answered yet");
            }

            Slot? slot = _slots.Find(s => s.Calls < MaxCallsPerConnection);
            if (slot is null)
            {
                slot = new Slot(new LibvirtSession(new LibvirtSessionOptions(uri)));
                _slots.Add(slot);
            }

            slot.Calls++;
            return slot;
        }
    }

    private void Leave(Slot slot)
    {
        lock (_lock)
        {
            // One stays open.
            if (--slot.Calls > 0 || _disposed || _slots[0] == slot)
            {
                return;
            }

            _slots.Remove(slot);
        }

        slot.Session.Dispose();
    }

    private sealed class Slot(LibvirtSession session)
    {
        public LibvirtSession Session { get; } = session;

        public int Calls { get; set; }
    }
}
