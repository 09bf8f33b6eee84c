namespace SnapshotApi.Cli.Rendering;

/// <summary>Shows progress on standard error while some work goes on.</summary>
internal interface IProgressDisplay
{
    /// <summary>Runs the work and shows the frames it reports; the display is gone, or finished, when the task is done.</summary>
    Task<T> RunAsync<T>(Func<Action<ProgressFrame>, Task<T>> work);
}
