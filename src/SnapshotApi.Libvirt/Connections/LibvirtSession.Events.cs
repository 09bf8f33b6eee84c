namespace SnapshotApi.Libvirt;

/// <content>
/// Subscriptions that survive a lost connection. Handlers run on the thread of the event loop: they return quickly and make no
/// libvirt call. Each subscription is removed by disposing it, or with the session.
/// </content>
public sealed partial class LibvirtSession
{
    /// <inheritdoc cref="LibvirtConnection.SubscribeLifecycle"/>
    public IDisposable SubscribeLifecycle(Action<LifecycleEvent> handler)
        => Subscribe(connection => connection.SubscribeLifecycle(handler));

    /// <inheritdoc cref="LibvirtConnection.SubscribeBlockJob"/>
    public IDisposable SubscribeBlockJob(Action<BlockJobEvent> handler)
        => Subscribe(connection => connection.SubscribeBlockJob(handler));

    /// <inheritdoc cref="LibvirtConnection.SubscribeIoError"/>
    public IDisposable SubscribeIoError(Action<IoErrorEvent> handler)
        => Subscribe(connection => connection.SubscribeIoError(handler));

    /// <inheritdoc cref="LibvirtConnection.SubscribeAgentLifecycle"/>
    public IDisposable SubscribeAgentLifecycle(Action<AgentLifecycleEvent> handler)
        => Subscribe(connection => connection.SubscribeAgentLifecycle(handler));

    /// <inheritdoc cref="LibvirtConnection.SubscribeJobCompleted"/>
    public IDisposable SubscribeJobCompleted(Action<JobCompletedEvent> handler)
        => Subscribe(connection => connection.SubscribeJobCompleted(handler));

    private SessionSubscription Subscribe(Func<LibvirtConnection, IDisposable> register)
    {
        SessionSubscription subscription = new(this, register);
        lock (_registration)
        {
            LibvirtConnection? connection;
            lock (_gate)
            {
                ObjectDisposedException.ThrowIf(_disposed, this);
                _subscriptions.Add(subscription);
                connection = _loss is null ? _connection : null;
            }

            try
            {
                if (connection is not null)
                {
                    subscription.Register(connection);
                }
            }
            catch (LibvirtException failure) when (failure.IsConnectionLost)
            {
                // It is in the list: the next connection gets it.
                ReportFailure(failure);
            }
            catch
            {
                Remove(subscription);
                throw;
            }
        }

        return subscription;
    }

    private void Remove(SessionSubscription subscription)
    {
        lock (_gate)
        {
            _subscriptions.Remove(subscription);
        }
    }

    /// <summary>One subscription, and its registration at the present connection.</summary>
    private sealed class SessionSubscription(LibvirtSession session, Func<LibvirtConnection, IDisposable> register) : IDisposable
    {
        private readonly Lock _gate = new();
        private IDisposable? _current;
        private bool _disposed;

        public void Register(LibvirtConnection connection)
        {
            IDisposable registration = register(connection);
            lock (_gate)
            {
                if (!_disposed)
                {
                    // The one before went with its connection.
                    _current = registration;
                    return;
                }
            }

            registration.Dispose();
        }

        public void Dispose()
        {
            IDisposable? current;
            lock (_gate)
            {
                _disposed = true;
                current = _current;
                _current = null;
            }

            session.Remove(this);
            current?.Dispose();
        }
    }
}
