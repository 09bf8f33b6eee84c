using SnapshotApi.Captures;

namespace SnapshotApi.Tests.Fakes;

/// <summary>Is told everything, and keeps nothing.</summary>
internal sealed class NoObserver : ICaptureObserver
{
    public void StepStarted(CaptureStep step, string? detail = null)
    {
    }

    public void Warn(string message)
    {
    }

    public void CopyAdvanced(string target, long sizeBytes, long doneBytes, long endBytes)
    {
    }
}
