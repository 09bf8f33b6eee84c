namespace SnapshotApi.Snapshots;

/// <summary>
/// Told what a running snapshot does, by the pipeline and the captures. Calls are cheap, thread-safe and never throw; what is
/// told is persisted behind them.
/// </summary>
internal interface ISnapshotObserver
{
    /// <summary>The plan was made.</summary>
    void PlanMade(SnapshotPlan plan);

    /// <summary>A step began; the one before has ended.</summary>
    /// <param name="step">The step.</param>
    /// <param name="detail">A fact for the event log, for example <c>vda</c>; null for none.</param>
    void StepStarted(SnapshotStep step, string? detail = null);

    /// <summary>Something was degraded or undone; shown in the job's warnings.</summary>
    void Warn(string message);

    /// <summary>How far disks are; several in one call when all of them change their phase, so that the percentage does not fall in between.</summary>
    void DisksAdvanced(IReadOnlyList<DiskProgress> disks);

    /// <summary>An image was published; <paramref name="description"/> carries its name, virtual size and properties.</summary>
    void ImagePublished(string target, Stores.StoredImage image, Stores.ImageDescription description);

    /// <summary>Guest downtime, freeze and consistency became known.</summary>
    /// <param name="consistency">What is known of the image.</param>
    /// <param name="downtime">How long the guest did not execute.</param>
    /// <param name="freeze">How long its file systems were frozen; zero when they were not.</param>
    /// <param name="frozenFileSystems">How many the guest agent froze.</param>
    void GuestAffected(Captures.Consistency consistency, Captures.GuestDowntime downtime, TimeSpan freeze, int frozenFileSystems);
}
