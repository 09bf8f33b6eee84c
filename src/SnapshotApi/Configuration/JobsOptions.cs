using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace SnapshotApi.Configuration;

[Description("Leases, attempts and upkeep. The same in every process that shares a database.")]
internal sealed class JobsOptions
{
    public const string Section = "Jobs";

    // A job that killed its worker twice would do so again.
    [Description("How often a job is begun when the service dies under it; then it fails as `abandoned`.")]
    [Range(1, 10)]
    public int MaxAttempts { get; set; } = 2;

    [Description("How long a run may be silent before its lease ends. It renews the lease three times as often.")]
    [Range(typeof(TimeSpan), "00:00:05", "00:10:00")]
    public TimeSpan LeaseDuration { get; set; } = TimeSpan.FromSeconds(30);

    [Description("Shortest time between two writes of a job's progress.")]
    [Range(typeof(TimeSpan), "00:00:00.1", "00:01:00")]
    public TimeSpan ProgressInterval { get; set; } = TimeSpan.FromSeconds(1);

    [Description("How often a node sends its heartbeat. A node that missed three is taken for dead.")]
    [Range(typeof(TimeSpan), "00:00:00.5", "00:01:00")]
    public TimeSpan HeartbeatInterval { get; set; } = TimeSpan.FromSeconds(10);

    [Description(
        "How long a job waits for a node that does not answer, before it ends as `node_lost`. Once another node has "
        + "its server, that takes twelve heartbeats: a running job ends, and a queued one goes there.")]
    [Range(typeof(TimeSpan), "00:01:00", "7.00:00:00")]
    public TimeSpan NodeLostAfter { get; set; } = TimeSpan.FromMinutes(15);

    // A node takes about 20 ms.
    [Description(
        "Longest time that a POST waits for nodes to look at the server again. After it the inventory last "
        + "published counts.")]
    [Range(typeof(TimeSpan), "00:00:00", "00:00:05")]
    public TimeSpan RefreshTimeout { get; set; } = TimeSpan.FromMilliseconds(400);

    [Description("How often a node looks for lost jobs.")]
    [Range(typeof(TimeSpan), "00:00:01", "00:10:00")]
    public TimeSpan SweepInterval { get; set; } = TimeSpan.FromMinutes(1);

    [Description(
        "How long a queued job may be unknown to its queue, or wait while a worker is free, before it is enqueued "
        + "again.")]
    [Range(typeof(TimeSpan), "00:00:01", "00:10:00")]
    public TimeSpan LostAfter { get; set; } = TimeSpan.FromSeconds(30);

    [Description("How long a finished job is kept, counted from its end. One that has an image stays as long as that.")]
    [Range(typeof(TimeSpan), "01:00:00", "3650.00:00:00")]
    public TimeSpan Retention { get; set; } = TimeSpan.FromDays(365);

    [Description("How long the step log of a finished job is kept.")]
    [Range(typeof(TimeSpan), "01:00:00", "3650.00:00:00")]
    public TimeSpan EventRetention { get; set; } = TimeSpan.FromDays(90);

    [Description("How long an `Idempotency-Key` is remembered.")]
    [Range(typeof(TimeSpan), "00:01:00", "30.00:00:00")]
    public TimeSpan IdempotencyRetention { get; set; } = TimeSpan.FromHours(24);
}

[OptionsValidator]
internal sealed partial class JobsOptionsValidator : IValidateOptions<JobsOptions>;
