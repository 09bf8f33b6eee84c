namespace SnapshotApi.Journal;

/// <summary>
/// Told of the exact instants of a run, so that a test can have the service die, wait or fail at one of them. Does nothing unless
/// the configuration arms it; see <c>scripts/faults</c>.
/// </summary>
internal interface IFaultPoint
{
    /// <summary>An instant has come. Returns at once, unless a fault was ordered for just this instant.</summary>
    /// <param name="instant">Which kind of instant.</param>
    /// <param name="name">What it is about: an action of the journal, a step, or <c>outcome</c>.</param>
    /// <exception cref="SnapshotApi.Errors.SnapshotException">no_space: that was ordered.</exception>
    void Reach(FaultInstant instant, string name);
}
