using System.Diagnostics;

namespace SnapshotApi.Journal;

/// <summary>
/// Carries out the faults that are ordered in a directory. An order is a file <c>at</c> that holds a
/// <see cref="FaultOrder"/>. At its instant the file is renamed to <c>hit</c>, so that an order is carried out once,
/// also by a service that dies of it. A pause ends when <c>hit</c> is deleted.
/// </summary>
/// <remarks>Thread-safe. A pause blocks the thread, whatever it holds, as a hanging disk does.</remarks>
internal sealed partial class ArmedFaults : IFaultPoint
{
    // Short beside any step of a run, long beside the cost of looking for a file.
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(20);

    private readonly Lock _lock = new();
    private readonly string _order;
    private readonly string _hit;
    private readonly Action _kill;
    private readonly ILogger<ArmedFaults> _logger;
    private DateTime _orderedAt;
    private int _passed;

    /// <param name="directory">Where orders are put.</param>
    /// <param name="logger">Gets a warning at the start and for each fault.</param>
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
        if (Take(instant, name) is not { } action)
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
                throw new SnapshotException(
                    SnapshotErrorCode.NoSpace, $"a full disk was ordered at {instant} of {name}");
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

    private FaultAction? Take(FaultInstant instant, string name)
    {
        lock (_lock)
        {
            if (Read() is not { } order || order.Instant != instant || order.Name != name)
            {
                return null;
            }

            // A new order counts from 1, also one of the same text.
            DateTime orderedAt = File.GetLastWriteTimeUtc(_order);
            _passed = orderedAt == _orderedAt ? _passed + 1 : 1;
            _orderedAt = orderedAt;
            if (_passed < order.Count)
            {
                return null;
            }

            File.Move(_order, _hit);
            return order.Action;
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
            // The order was withdrawn meanwhile.
            return null;
        }
    }

    [LoggerMessage(4010, LogLevel.Warning,
        "FAULTS ARE ARMED: this service dies, hangs or fails as ordered in {Directory}. It must not serve anybody")]
    private partial void LogArmed(string directory);

    [LoggerMessage(4011, LogLevel.Warning, "Fault at {Instant} of {Name}: {Action}")]
    private partial void LogHit(FaultInstant instant, string name, FaultAction action);

    [LoggerMessage(4012, LogLevel.Warning, "Fault at {Instant} of {Name}: going on")]
    private partial void LogResumed(FaultInstant instant, string name);
}

/// <summary>The instants of a run at which a fault can be injected, in their order.</summary>
internal enum FaultInstant
{
    /// <summary>A step of the pipeline begins; the point's name is the step.</summary>
    Step,

    /// <summary>An intent is about to be written; the point's name is the action, as in the journal.</summary>
    Adding,

    /// <summary>An intent is durable, and its call is not made yet.</summary>
    Added,

    /// <summary>An intent is about to be undone.</summary>
    Undoing,

    /// <summary>An intent was undone, and that is not durable yet.</summary>
    Undone,

    /// <summary>That an intent is settled is durable.</summary>
    Settled,

    /// <summary>The outcome is about to be written; the point's name is <c>outcome</c>, as for the next two.</summary>
    Concluding,

    /// <summary>The outcome is durable and not delivered yet.</summary>
    Concluded,

    /// <summary>The outcome was delivered and the journal is about to be deleted.</summary>
    Deleting,
}

/// <summary>An order, as text <c>INSTANT:NAME[#N] ACTION</c>: for example <c>added:end-backup#2 kill</c>.</summary>
/// <param name="Instant">The kind of instant.</param>
/// <param name="Name">The point's name.</param>
/// <param name="Count">Which of several such instants, from 1.</param>
/// <param name="Action">What to do then.</param>
internal sealed record FaultOrder(FaultInstant Instant, string Name, int Count, FaultAction Action)
{
    /// <summary>Reads an order; null when the text is none, as while it is written.</summary>
    public static FaultOrder? Parse(string text)
    {
        string[] words = text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        string[] point = words.Length == 2 ? words[0].Split(':') : [];
        if (point.Length != 2
            || !Enum.TryParse(point[0], ignoreCase: true, out FaultInstant instant)
            || !Enum.TryParse(words[1], ignoreCase: true, out FaultAction action))
        {
            return null;
        }

        string[] name = point[1].Split('#');
        int count = 1;
        bool isCounted = name.Length == 2
            && int.TryParse(name[1], NumberStyles.None, CultureInfo.InvariantCulture, out count) && count > 0;
        return name.Length == 1 || isCounted ? new FaultOrder(instant, name[0], count, action) : null;
    }
}

/// <summary>What a fault does.</summary>
internal enum FaultAction
{
    /// <summary>The process kills itself with SIGKILL.</summary>
    Kill,

    /// <summary>The run waits until <c>hit</c> is deleted: a test does what is to happen at this instant.</summary>
    Pause,

    /// <summary>The instant fails as a full disk does.</summary>
    Throw,
}

/// <summary>
/// Lets a test have the service die, wait or fail at an exact instant of a run. Does nothing unless the configuration
/// arms it; see <c>scripts/faults</c>.
/// </summary>
internal interface IFaultPoint
{
    /// <summary>An instant has come. Returns at once, unless a fault was ordered for this instant.</summary>
    /// <param name="instant">The kind of instant.</param>
    /// <param name="name">An action of the journal, a step, or <c>outcome</c>.</param>
    /// <exception cref="SnapshotException">no_space: that was ordered.</exception>
    void Reach(FaultInstant instant, string name);
}

/// <summary>The fault point of a service that is not armed: nothing ever happens.</summary>
internal sealed class NoFaults : IFaultPoint
{
    public static NoFaults Instance { get; } = new();

    public void Reach(FaultInstant instant, string name)
    {
    }
}
