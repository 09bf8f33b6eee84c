using System.Threading.RateLimiting;
using Microsoft.AspNetCore.RateLimiting;

namespace SnapshotApi.Api.Access;

/// <summary>Limits the snapshots that a caller may ask for, by a token bucket for each caller.</summary>
internal sealed class SnapshotRateLimit(IOptions<RateLimitOptions> options) : IRateLimiterPolicy<string>
{
    private const string RateLimited = "rate_limited";

    public Func<OnRejectedContext, CancellationToken, ValueTask> OnRejected { get; } = static async (context, _) =>
    {
        context.Lease.TryGetMetadata(MetadataName.RetryAfter, out TimeSpan wait);
        int seconds = Math.Max(1, (int)Math.Ceiling(wait.TotalSeconds));
        AccessLog.Of(context.HttpContext).TurnedAway(context.HttpContext, RateLimited, "too many snapshots");
        await ProblemWriter.WriteAsync(
            context.HttpContext,
            ProblemMapping.Of(RateLimited) with { RetryAfterSeconds = seconds },
            "more snapshots were asked for than one caller may ask for; nothing was done").ConfigureAwait(false);
    };

    public RateLimitPartition<string> GetPartition(HttpContext httpContext)
    {
        RateLimitOptions limit = options.Value;
        string caller = Caller.CountedAs(httpContext);
        return limit.SnapshotsPerMinute == 0
            ? RateLimitPartition.GetNoLimiter(caller)
            : RateLimitPartition.GetTokenBucketLimiter(caller, _ => new TokenBucketRateLimiterOptions
            {
                TokenLimit = limit.SnapshotBurst,
                TokensPerPeriod = 1,
                ReplenishmentPeriod = TimeSpan.FromMinutes(1) / limit.SnapshotsPerMinute,
                QueueLimit = 0,
            });
    }
}
