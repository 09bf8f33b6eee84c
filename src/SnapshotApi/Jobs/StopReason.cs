namespace SnapshotApi.Jobs;

/// <summary>Why a run is to stop before its end.</summary>
internal enum StopReason
{
    /// <summary>It is not.</summary>
    None,

    /// <summary>Its user asked to cancel it.</summary>
    User,

    /// <summary>The service stops: the job is to be run again.</summary>
    Shutdown,

    /// <summary>Its deadline passed.</summary>
    Deadline,

    /// <summary>The job is not this run's any more: it must write nothing.</summary>
    LeaseLost,
}
