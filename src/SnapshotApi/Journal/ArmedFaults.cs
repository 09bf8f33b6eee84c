using System.Diagnostics;
using SnapshotApi.Errors;

namespace SnapshotApi.Journal;

/// <summary>
/// Carries out the faults that are ordered in a directory. An order is a file <c>at</c> that holds a <see cref="FaultOrder"/>. When
/// its instant has come the file is renamed to <c>hit</c>, so that an order is carried out once, also by a service that died of it;
/// a pause ends when <c>hit</c> is deleted.
/// </summary>
/// <remarks>Thread-safe. A pause blocks the thread that came there, whatever it holds: just what a hanging disk does.</remarks>
internal sealed partial class ArmedFaults : IFaultPoint
{
    // Short beside any step of a run, long beside what looking for a file costs.
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(20);

    private readonly Lock _lock = new();
    private readonly string _order;
    private readonly string _hit;
    private readonly Action _kill;
    private readonly ILogger<ArmedFaults> _logger;
    private DateTime _orderedAt;
    private int _passed;

    /// <param name="directory">Where orders are put.</param>
    /// <param name="logger">Told, as warnings, that it is armed and what it does.</param>
    /// <param name="kill">Ends the process at once; null: by SIGKILL.</param>
    public ArmedFaults(string directory, ILogger<ArmedFaults> logger, Action? kill = null)
    {
        _order = Path.Combine(directory, "at");
        _hit = Path.Combine(directory, "hit");
        _kill = kill ?? Process.GetCurrentProcess().Kill;
        _logger = logger;
        LogArmed(directory);
    }

    public void Reach(FaultInstant instant, string name)
    {
        if (!TryTake(instant, name, out FaultAction action))
        {
            return;
        }

        LogHit(instant, name, action);
        switch (action)
        {
            case FaultAction.Kill:
                _kill();
                break;
            case FaultAction.Throw:
                throw new SnapshotException(SnapshotErrorCode.NoSpace, $"a full disk was ordered at {instant} of {name}");
            default:
                while (File.Exists(_hit))
                {
                    using var never = new ManualResetEventSlim();
                    never.Wait(PollInterval);
                }

                LogResumed(instant, name);
                break;
        }
    }

    private bool TryTake(FaultInstant instant, string name, out FaultAction action)
    {
        action = default;
        lock (_lock)
        {
            if (Read() is not { } order || order.Instant != instant || order.Name != name)
            {
                return false;
            }

            // A new order counts from the beginning, also one of the same text.
            DateTime orderedAt = File.GetLastWriteTimeUtc(_order);
            _passed = orderedAt == _orderedAt ? _passed + 1 : 1;
            _orderedAt = orderedAt;
            if (_passed < order.Count)
            {
                return false;
            }

            File.Move(_order, _hit);
            action = order.Action;
            return true;
        }
    }

    private FaultOrder? Read()
    {
        try
        {
            return File.Exists(_order) ? FaultOrder.Parse(File.ReadAllText(_order)) : null;
        }
        catch (IOException)
        {
            // Withdrawn while we looked.
            return null;
        }
    }
}
