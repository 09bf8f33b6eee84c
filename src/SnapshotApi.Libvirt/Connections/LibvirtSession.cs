using System.Diagnostics.CodeAnalysis;

namespace SnapshotApi.Libvirt;

/// <summary>
/// Keeps a connection open: a thread of its own opens it, notices its loss (close notice, keepalive, or
/// <see cref="ReportFailure"/>), opens it again and renews the subscriptions. Events in between are lost: read the
/// state again at <see cref="Connected"/>. Nothing is opened before <see cref="Start"/>. Thread-safe. The caller
/// disposes it.
/// </summary>
public sealed partial class LibvirtSession(LibvirtSessionOptions options) : IDisposable
{
    // A monitor, not a Lock: the thread waits on it.
    private readonly object _gate = new();
    private readonly Lock _registration = new();
    private readonly HashSet<SessionSubscription> _subscriptions = [];

    private Thread? _thread;

    [SuppressMessage("Usage", "CA2213", Justification = "The session's thread disposes it, as the last thing it does.")]
    private LibvirtConnection? _connection;

    private ConnectionCloseReason? _loss;
    private TaskCompletionSource<LibvirtConnection>? _attempt;
    private bool _woken;
    private bool _disposed;

    /// <summary>Opened, with every subscription in place. On the session's thread; may call libvirt.</summary>
    public event Action<LibvirtConnection>? Connected;

    /// <summary>The connection was lost. On the session's thread, before it is opened again.</summary>
    public event Action<ConnectionCloseReason>? Disconnected;

    /// <summary>A connection is open, as far as is known.</summary>
    public bool IsConnected
    {
        get
        {
            lock (_gate)
            {
                return _connection is not null && _loss is null;
            }
        }
    }

    /// <summary>Why the last attempt to open failed; null when it did not.</summary>
    public Exception? LastFailure { get; private set; }

    /// <summary>Begins to connect in the background.</summary>
    public void Start()
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (_thread is null)
            {
                _thread = new Thread(Run) { IsBackground = true, Name = "libvirt session" };
                _thread.Start();
            }
        }
    }

    /// <summary>The open connection, opened at once if there is none. The session owns it: do not keep it.</summary>
    /// <exception cref="LibvirtException">None could be opened.</exception>
    /// <exception cref="DllNotFoundException">The client library is not installed.</exception>
    public LibvirtConnection GetConnection()
    {
        Task<LibvirtConnection> attempt;
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (_connection is not null && _loss is null)
            {
                return _connection;
            }

            _attempt ??= new TaskCompletionSource<LibvirtConnection>(
                TaskCreationOptions.RunContinuationsAsynchronously);
            attempt = _attempt.Task;
        }

        Start();
        Wake();
        return Await(attempt);
    }

    /// <summary>Reports a failed call. A connection that is lost and really closed is given up.</summary>
    public void ReportFailure(LibvirtException failure)
    {
        ArgumentNullException.ThrowIfNull(failure);
        LibvirtConnection? connection;
        lock (_gate)
        {
            connection = _connection;
        }

        if (failure.IsConnectionLost && connection is { IsAlive: false })
        {
            Lose(connection, ConnectionCloseReason.Error);
        }
    }

    /// <summary>Closes the connection and ends the thread. Those who wait for a connection get an exception.</summary>
    public void Dispose()
    {
        Thread? thread;
        lock (_gate)
        {
            if (_disposed)
            {
                return;
            }

            _disposed = true;
            thread = _thread;
            _attempt?.TrySetException(new ObjectDisposedException(nameof(LibvirtSession)));
            _attempt = null;
        }

        Wake();
        // virConnectOpen may hold the thread of a daemon that hangs; it closes what it gets.
        if (thread is not null && thread != Thread.CurrentThread)
        {
            thread.Join(options.OpenTimeout);
        }
    }

    private LibvirtConnection Await(Task<LibvirtConnection> attempt)
    {
        try
        {
#pragma warning disable VSTHRD002 // Blocks by contract, off the pool; the session's own thread completes the task.
            return attempt.WaitAsync(options.OpenTimeout).GetAwaiter().GetResult();
#pragma warning restore VSTHRD002
        }
        catch (TimeoutException)
        {
            throw new LibvirtException(
                "virConnectOpen", LibvirtErrorCode.NoConnect, LibvirtErrorSource.None,
                $"no answer within {options.OpenTimeout.TotalSeconds:0} s");
        }
        catch (LibvirtException failure)
        {
            // A copy for each waiting thread: an exception object must not be thrown on two.
            throw new LibvirtException(failure.Function, failure.Code, failure.ErrorSource, failure.NativeMessage);
        }
    }

    private void Wake()
    {
        lock (_gate)
        {
            _woken = true;
            Monitor.PulseAll(_gate);
        }
    }

    private void Lose(LibvirtConnection connection, ConnectionCloseReason reason)
    {
        lock (_gate)
        {
            if (!ReferenceEquals(connection, _connection) || _loss is not null)
            {
                return;
            }

            _loss = reason;
        }

        Wake();
    }

    private static void Raise<T>(Action<T>? handlers, T value)
    {
        try
        {
            handlers?.Invoke(value);
        }
#pragma warning disable CA1031 // A listener must not end the thread that keeps the connection.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            LibvirtEventLoop.ReportHandlerFailure(exception);
        }
    }

    public IDisposable SubscribeLifecycle(Action<LifecycleEvent> handler)
        => Subscribe(connection => connection.SubscribeLifecycle(handler));

    public IDisposable SubscribeBlockJob(Action<BlockJobEvent> handler)
        => Subscribe(connection => connection.SubscribeBlockJob(handler));

    public IDisposable SubscribeIoError(Action<IoErrorEvent> handler)
        => Subscribe(connection => connection.SubscribeIoError(handler));

    public IDisposable SubscribeAgentLifecycle(Action<AgentLifecycleEvent> handler)
        => Subscribe(connection => connection.SubscribeAgentLifecycle(handler));

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
    private sealed class SessionSubscription(
        LibvirtSession session, Func<LibvirtConnection, IDisposable> register) : IDisposable
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

/// <summary>How a <see cref="LibvirtSession"/> connects.</summary>
/// <param name="Uri">For example <c>qemu:///system</c>.</param>
public sealed record LibvirtSessionOptions(string Uri)
{
    /// <summary>Pause between attempts to open.</summary>
    /// <value>1 s: soon after a restart of the daemon; an attempt at a missing socket costs nothing.</value>
    public TimeSpan RetryInterval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long a caller waits for a connection that is being opened.</summary>
    /// <value>30 s: a local daemon answers in milliseconds, one that has just been started may take seconds.</value>
    public TimeSpan OpenTimeout { get; init; } = TimeSpan.FromSeconds(30);
}
