using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace SnapshotApi.Configuration;

/// <summary>Section <c>Jobs</c>: leases, attempts and upkeep. The same in every process that shares a database.</summary>
internal sealed class JobsOptions
{
    /// <summary>Name of the section.</summary>
    public const string Section = "Jobs";

    /// <summary>How often a job is begun when the service dies under it; then it fails as <c>abandoned</c>.</summary>
    /// <value>1 to 10. Default 2: a job that killed its worker twice would do so again.</value>
    [Range(1, 10)]
    public int MaxAttempts { get; set; } = 2;

    /// <summary>How long a run may be silent before others take it for dead.</summary>
    /// <value>5 s to 10 minutes. Default 30 s; renewed three times as often.</value>
    [Range(typeof(TimeSpan), "00:00:05", "00:10:00")]
    public TimeSpan LeaseDuration { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>Shortest time between two writes of a job's progress.</summary>
    /// <value>100 ms to 1 minute. Default 500 ms: twice a second.</value>
    [Range(typeof(TimeSpan), "00:00:00.1", "00:01:00")]
    public TimeSpan ProgressInterval { get; set; } = TimeSpan.FromMilliseconds(500);

    /// <summary>How often a node gives a sign of life; one that missed three is taken for dead.</summary>
    /// <value>500 ms to 1 minute. Default 5 s.</value>
    [Range(typeof(TimeSpan), "00:00:00.5", "00:01:00")]
    public TimeSpan HeartbeatInterval { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>Longest time that a POST waits for nodes to look at the server anew.</summary>
    /// <value>0 to 5 s. Default 400 ms; it takes about 20 ms. After it the inventory last published counts.</value>
    [Range(typeof(TimeSpan), "00:00:00", "00:00:05")]
    public TimeSpan RefreshTimeout { get; set; } = TimeSpan.FromMilliseconds(400);

    /// <summary>How often lost jobs are looked for.</summary>
    /// <value>1 s to 10 minutes. Default 10 s.</value>
    [Range(typeof(TimeSpan), "00:00:01", "00:10:00")]
    public TimeSpan SweepInterval { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>How long a queued job may be unknown to Hangfire, or wait while a worker is free, before it is enqueued again.</summary>
    /// <value>1 s to 10 minutes. Default 30 s.</value>
    [Range(typeof(TimeSpan), "00:00:01", "00:10:00")]
    public TimeSpan LostAfter { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How long the step log of a finished job is kept.</summary>
    /// <value>1 hour to 10 years. Default 90 days.</value>
    [Range(typeof(TimeSpan), "01:00:00", "3650.00:00:00")]
    public TimeSpan EventRetention { get; set; } = TimeSpan.FromDays(90);

    /// <summary>How long an Idempotency-Key is remembered.</summary>
    /// <value>1 minute to 30 days. Default 24 hours.</value>
    [Range(typeof(TimeSpan), "00:01:00", "30.00:00:00")]
    public TimeSpan IdempotencyRetention { get; set; } = TimeSpan.FromHours(24);
}

/// <summary>Checks <see cref="JobsOptions"/> at start; all errors at once.</summary>
[OptionsValidator]
internal sealed partial class JobsOptionsValidator : IValidateOptions<JobsOptions>;
