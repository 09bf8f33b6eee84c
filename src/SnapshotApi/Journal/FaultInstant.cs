namespace SnapshotApi.Journal;

/// <summary>An exact instant of a run at which a fault can be injected, in the order in which they pass.</summary>
internal enum FaultInstant
{
    /// <summary>A step of the pipeline begins; the point's name is the step.</summary>
    Step,

    /// <summary>An intent is about to be written; the point's name is the action, as in the journal.</summary>
    Adding,

    /// <summary>An intent is durable, and the call that it undoes is not made yet.</summary>
    Added,

    /// <summary>An intent is about to be undone.</summary>
    Undoing,

    /// <summary>An intent was undone, and nothing on disk says so yet.</summary>
    Undone,

    /// <summary>It is durable that an intent is settled.</summary>
    Settled,

    /// <summary>The outcome is about to be written; the point's name is <c>outcome</c>, as for the next two.</summary>
    Concluding,

    /// <summary>The outcome is durable and not delivered yet.</summary>
    Concluded,

    /// <summary>The outcome was delivered and the journal is about to be deleted.</summary>
    Deleting,
}
