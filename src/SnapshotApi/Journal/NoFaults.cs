namespace SnapshotApi.Journal;

/// <summary>The fault point of every service that serves: nothing ever happens.</summary>
internal sealed class NoFaults : IFaultPoint
{
    private NoFaults()
    {
    }

    /// <summary>The one instance.</summary>
    public static NoFaults Instance { get; } = new();

    public void Reach(FaultInstant instant, string name)
    {
    }
}
