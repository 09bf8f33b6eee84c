namespace SnapshotApi.Captures;

/// <summary>Told what a capture does. Calls are cheap and never throw.</summary>
internal interface ICaptureObserver
{
    /// <summary>A step of the capture began.</summary>
    void StepStarted(CaptureStep step, string? detail = null);

    /// <summary>Something was degraded.</summary>
    void Warn(string message);

    /// <summary>How far a copy that must be done before the disk can be read has come.</summary>
    /// <param name="target">The disk.</param>
    /// <param name="sizeBytes">Size of the disk.</param>
    /// <param name="doneBytes">Bytes copied.</param>
    /// <param name="endBytes">Bytes to copy, as far as known.</param>
    void CopyAdvanced(string target, long sizeBytes, long doneBytes, long endBytes);
}

/// <summary>Steps of the captures.</summary>
internal enum CaptureStep
{
    /// <summary>Guest memory is saved.</summary>
    Saving,

    /// <summary>Top layer is cloned or copied.</summary>
    Cloning,

    /// <summary>Guest is started again.</summary>
    Resuming,

    /// <summary>Block job copies.</summary>
    Mirroring,

    /// <summary>Backup job is begun.</summary>
    BackupBeginning,
}
