namespace SnapshotApi.Libvirt;

/// <content>The thread: opening, giving up and raising of events, one after the other.</content>
public sealed partial class LibvirtSession
{
    private void Run()
    {
        while (true)
        {
            bool isOpen = Settle(out bool isDisposed);
            if (isDisposed)
            {
                break;
            }

            if (!isOpen && !TryOpen())
            {
                WaitForWake(options.RetryInterval);
                continue;
            }

            // Set by a loss, by the end of the session and by a thread that wants a connection.
            WaitForWake(Timeout.InfiniteTimeSpan);
        }
    }

    // Gives up a lost or unwanted connection.
    private bool Settle(out bool isDisposed)
    {
        LibvirtConnection? given;
        ConnectionCloseReason? loss;
        lock (_gate)
        {
            isDisposed = _disposed;
            if (!isDisposed && _loss is null)
            {
                return _connection is not null;
            }

            given = _connection;
            loss = _loss;
            _connection = null;
            _loss = null;
        }

        if (isDisposed)
        {
            given?.Dispose();
        }
        else if (given is not null && loss is ConnectionCloseReason reason)
        {
            given.Abandon();
            Raise(Disconnected, reason);
        }

        return false;
    }

    private bool TryOpen()
    {
        LibvirtConnection connection;
        try
        {
            connection = OpenAndSubscribe();
        }
        catch (Exception failure)
            when (failure is LibvirtException or DllNotFoundException or EntryPointNotFoundException)
        {
            LastFailure = failure;
            TakeAttempt()?.TrySetException(failure);
            return false;
        }

        LastFailure = null;
        Raise(Connected, connection);
        TakeAttempt()?.TrySetResult(connection);
        if (!connection.IsAlive)
        {
            // It was lost before anybody listened for that.
            Lose(connection, ConnectionCloseReason.Error);
        }

        return true;
    }

    private LibvirtConnection OpenAndSubscribe()
    {
        LibvirtConnection connection = LibvirtConnection.Open(options.Uri);
        connection.Closed += reason => Lose(connection, reason);
        try
        {
            // A subscription made now is either in the list, or sees the connection.
            lock (_registration)
            {
                foreach (SessionSubscription subscription in Subscriptions())
                {
                    subscription.Register(connection);
                }

                lock (_gate)
                {
                    _connection = connection;
                    _loss = null;
                }
            }

            return connection;
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    private void WaitForWake(TimeSpan atMost)
    {
        lock (_gate)
        {
            if (!_woken)
            {
                Monitor.Wait(_gate, atMost);
            }

            _woken = false;
        }
    }

    private TaskCompletionSource<LibvirtConnection>? TakeAttempt()
    {
        lock (_gate)
        {
            TaskCompletionSource<LibvirtConnection>? attempt = _attempt;
            _attempt = null;
            return attempt;
        }
    }

    private SessionSubscription[] Subscriptions()
    {
        lock (_gate)
        {
            return [.. _subscriptions];
        }
    }
}
