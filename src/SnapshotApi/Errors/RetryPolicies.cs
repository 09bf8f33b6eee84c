using Polly;
using Polly.Retry;

namespace SnapshotApi.Errors;

/// <summary>
/// The retries of the service: what is tried again, how often and when. No pipeline runs what changes a guest: only the
/// journal repeats that, after a look at the guest.
/// </summary>
internal static class RetryPolicies
{
    private static readonly TimeSpan StartupDelay = TimeSpan.FromSeconds(2);

    // A notification missed costs a reader its freshness, so the first tries follow each other fast.
    private static readonly TimeSpan FirstConnectDelay = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan LongestConnectDelay = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan QueueDelay = TimeSpan.FromSeconds(1);

    // A cut connection is back at once; a server that restarts needs some seconds. Longer than these a guest should not
    // bear an open capture, whose scratch space grows with all that the guest writes.
    private static readonly TimeSpan[] UploadDelays =
        [TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(15)];

    /// <summary>A database that is away when the service starts: every 2 s until it answers.</summary>
    /// <param name="onRetry">Called after each failure, with the delay before the next try.</param>
    public static ResiliencePipeline DatabaseAtStart(
        TimeProvider time, Action<Exception, TimeSpan> onRetry) => Build(time, new()
        {
            ShouldHandle = args => ValueTask.FromResult(
                args.Outcome.Exception is SnapshotException { Code: SnapshotErrorCode.DatabaseUnavailable }),
            MaxRetryAttempts = int.MaxValue,
            Delay = StartupDelay,
            OnRetry = args => TellAsync(args, onRetry),
        });

    /// <summary>A connection that is kept open: after 200 ms, then twice as long each time, up to 5 s.</summary>
    /// <param name="isAway">The failure may pass.</param>
    /// <param name="onRetry">Called after each failure, with the delay before the next try.</param>
    public static ResiliencePipeline Connecting(
        TimeProvider time, Func<Exception, bool> isAway, Action<Exception, TimeSpan> onRetry) => Build(time, new()
        {
            ShouldHandle = new PredicateBuilder().Handle(isAway),
            MaxRetryAttempts = int.MaxValue,
            BackoffType = DelayBackoffType.Exponential,
            Delay = FirstConnectDelay,
            MaxDelay = LongestConnectDelay,
            OnRetry = args => TellAsync(args, onRetry),
        });

    /// <summary>A worker that asks a queue whose database is away: every second until it answers.</summary>
    /// <param name="isAway">The failure may pass.</param>
    public static ResiliencePipeline Queue(Func<Exception, bool> isAway) => Build(TimeProvider.System, new()
    {
        ShouldHandle = new PredicateBuilder().Handle(isAway),
        MaxRetryAttempts = int.MaxValue,
        Delay = QueueDelay,
    });

    /// <summary>
    /// An upload that failed for a reason that may pass (<see cref="SnapshotException.IsTransient"/>): three more tries
    /// after 1, 5 and 15 s. One that was cancelled is not tried again: it throws what it failed with.
    /// </summary>
    /// <param name="onRetry">Called after each failure, before the delay.</param>
    public static ResiliencePipeline Upload(
        TimeProvider time, Func<OnRetryArguments<object>, ValueTask> onRetry) => Build(time, new()
        {
            ShouldHandle = args => ValueTask.FromResult(
                args.Outcome.Exception is SnapshotException { IsTransient: true }
                && !args.Context.CancellationToken.IsCancellationRequested),
            MaxRetryAttempts = UploadDelays.Length,
            DelayGenerator = args => ValueTask.FromResult<TimeSpan?>(UploadDelays[args.AttemptNumber]),
            OnRetry = onRetry,
        });

    /// <summary>Runs work that a stop of the service ends: what fails then has not failed, it was cancelled.</summary>
    /// <exception cref="OperationCanceledException">The service stops.</exception>
    public static async Task RunUntilStoppedAsync(
        this ResiliencePipeline pipeline, Func<CancellationToken, ValueTask> work, CancellationToken stopping)
    {
        try
        {
            await pipeline.ExecuteAsync(work, stopping).ConfigureAwait(false);
        }
        catch (Exception e) when (e is not OperationCanceledException && stopping.IsCancellationRequested)
        {
            throw new OperationCanceledException("the service stops", e, stopping);
        }
    }

    private static ResiliencePipeline Build(TimeProvider time, RetryStrategyOptions retry) =>
        new ResiliencePipelineBuilder { TimeProvider = time }.AddRetry(retry).Build();

    private static ValueTask TellAsync(OnRetryArguments<object> args, Action<Exception, TimeSpan> onRetry)
    {
        onRetry(args.Outcome.Exception!, args.RetryDelay);
        return ValueTask.CompletedTask;
    }
}
