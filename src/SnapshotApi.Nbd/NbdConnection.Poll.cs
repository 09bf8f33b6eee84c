using System.ComponentModel;
using System.Runtime.InteropServices;
using SnapshotApi.Linux;
using SnapshotApi.Nbd.Interop;

namespace SnapshotApi.Nbd;

/// <summary>Moving libnbd's state machine.</summary>
public sealed partial class NbdConnection
{
    /// <summary>Waits for the socket or the wake-up and lets libnbd work: requests may be done then.</summary>
    /// <param name="function">Named in an error.</param>
    /// <param name="timeoutMilliseconds">-1 = no limit.</param>
    /// <returns>False if the time is over or <see cref="Wake"/> was called, and nothing else happened.</returns>
    /// <exception cref="NbdProtocolException">The connection is lost.</exception>
    internal unsafe bool Poll(string function, int timeoutMilliseconds)
    {
        uint direction = LibNbd.nbd_aio_get_direction(_handle);
        LibC.PollFd* descriptors = stackalloc LibC.PollFd[2];
        descriptors[0].fd = LibNbd.nbd_aio_get_fd(_handle);
        if ((direction & LibNbd.LIBNBD_AIO_DIRECTION_READ) != 0)
        {
            descriptors[0].events |= LibC.POLLIN;
        }

        if ((direction & LibNbd.LIBNBD_AIO_DIRECTION_WRITE) != 0)
        {
            descriptors[0].events |= LibC.POLLOUT;
        }

        descriptors[1].fd = _wake.Descriptor;
        descriptors[1].events = LibC.POLLIN;
        int ready = LibC.poll(descriptors, 2, timeoutMilliseconds);
        if (ready < 0)
        {
            int errno = Marshal.GetLastPInvokeError();
            return errno == Errno.EINTR ? false : throw new Win32Exception(errno);
        }

        if (descriptors[1].revents != 0)
        {
            _wake.Drain();
        }

        return Notify(descriptors[0].revents, function);
    }

    /// <summary>Wakes <see cref="Poll"/> when the token is cancelled, or at once if it already is.</summary>
    private CancellationTokenRegistration Watch(CancellationToken cancellationToken) =>
        cancellationToken.UnsafeRegister(static wake => ((WakeEvent)wake!).Signal(), _wake);

    /// <summary>
    /// Only one of the two notifications per poll: the first may change the state so that the second would be wrong.
    /// Reading goes first, since it answers the older command (libnbd, lib/poll.c).
    /// </summary>
    private bool Notify(short events, string function)
    {
        int result;
        if ((events & (LibC.POLLIN | LibC.POLLHUP)) != 0)
        {
            result = LibNbd.nbd_aio_notify_read(_handle);
        }
        else if ((events & LibC.POLLOUT) != 0)
        {
            result = LibNbd.nbd_aio_notify_write(_handle);
        }
        else if ((events & (LibC.POLLERR | LibC.POLLNVAL)) != 0)
        {
            throw NbdError.Lost(function);
        }
        else
        {
            return false;
        }

        if (result < 0)
        {
            throw NbdError.Last(function, _handle);
        }

        Volatile.Write(ref _receivedCount, _receivedCount + 1);
        return NbdError.IsLost(_handle) ? throw NbdError.Lost(function) : true;
    }

    /// <summary>Waits for one command and retires it.</summary>
    private void Complete(long cookie, string function, CancellationToken cancellationToken)
    {
        try
        {
            using CancellationTokenRegistration registration = Watch(cancellationToken);
            while (LibNbd.nbd_aio_command_completed(_handle, (ulong)cookie) is var state and not 1)
            {
                if (state < 0)
                {
                    throw NbdError.Last(function, _handle);
                }

                cancellationToken.ThrowIfCancellationRequested();
                Poll(function, Timeout.Infinite);
            }
        }
        catch (Exception e) when (e is not (NbdRequestException or NbdUnsupportedException))
        {
            // A command in flight would write into the caller's memory: close before that is gone.
            Dispose();
            throw;
        }
    }
}
