using System.Globalization;

namespace SnapshotApi.Journal;

/// <summary>One fault that was ordered, as text: <c>INSTANT:NAME[#N] ACTION</c>, for example <c>added:abort-block-job#2 kill</c>.</summary>
/// <param name="Instant">The kind of instant.</param>
/// <param name="Name">What it is about.</param>
/// <param name="Count">At which of several instants like that, from 1.</param>
/// <param name="Action">What to do then.</param>
internal sealed record FaultOrder(FaultInstant Instant, string Name, int Count, FaultAction Action)
{
    /// <summary>Reads an order; null when the text is none, as while it is being written.</summary>
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
        return name.Length == 1 || (name.Length == 2 && int.TryParse(name[1], NumberStyles.None, CultureInfo.InvariantCulture, out count) && count > 0)
            ? new FaultOrder(instant, name[0], count, action)
            : null;
    }
}

/// <summary>What a fault does.</summary>
internal enum FaultAction
{
    /// <summary>The process kills itself with SIGKILL.</summary>
    Kill,

    /// <summary>The run waits until the file that says so is deleted: somebody outside does what is to happen just then.</summary>
    Pause,

    /// <summary>The instant fails as a full disk does.</summary>
    Throw,
}
