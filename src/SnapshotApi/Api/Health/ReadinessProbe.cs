using System.Runtime.ExceptionServices;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using SnapshotApi.Captures;
using SnapshotApi.Contracts;
using SnapshotApi.Hypervisor;
using SnapshotApi.Jobs;
using SnapshotApi.Persistence;
using SnapshotApi.Stores;

namespace SnapshotApi.Api.Health;

/// <summary>
/// The parts that a role needs, a health check each. A check that concerns single servers only degrades: the service is
/// ready for all others. Messages name facts, never host paths.
/// </summary>
internal sealed class ReadinessProbe(HealthCheckService checks, IOptions<ServiceOptions> service)
{
    /// <exception cref="Exception">A check has a defect: none throws on purpose.</exception>
    public async Task<Readiness> LookAsync(CancellationToken cancellationToken)
    {
        HealthReport report = await checks
            .CheckHealthAsync(c => c.Tags.Contains(ReadinessChecks.Tag), cancellationToken).ConfigureAwait(false);
        if (report.Entries.Values.FirstOrDefault(e => e.Exception is not null).Exception is { } defect)
        {
            ExceptionDispatchInfo.Throw(defect);
        }

        return report.ToContract(service.Value.Role);
    }
}

/// <summary>Registration of the health checks, and their report.</summary>
internal static class ReadinessChecks
{
    public const string Tag = "ready";

    public static void AddReadiness(this IServiceCollection services, ServiceRole role)
    {
        services.AddSingleton<ReadinessProbe>();
        IHealthChecksBuilder checks = services.AddHealthChecks().AddCheck<DatabaseCheck>("database", tags: [Tag]);
        if (role.IsNode())
        {
            checks.Add<IHypervisor>("hypervisor", h => Part(h.IsConnected, "libvirt does not answer"))
                .Add<DirectoryStore>("stores", s => Part(CanWrite(s), "the directory store can't be written to"))
                .AddCheck<NodeQueueCheck>("node_queue", tags: [Tag])
                .Add<JournalRecovery>("journal", r => Servers("clean-up is still to be done: ", r.Problems))
                .Add<ServerProblems>("servers", s => Servers(string.Empty, s.All))
                .Add<CaptureFindings>("captures", Captures);
        }
    }

    /// <summary>The report as the API shows it.</summary>
    public static Readiness ToContract(this HealthReport report, ServiceRole role) => new(
        report.Status switch
        {
            HealthStatus.Healthy => "ready",
            HealthStatus.Degraded => "degraded",
            _ => "not_ready",
        },
        ServiceVersion.Text,
        role.Name(),
        [
            .. report.Entries.Select(
                e => new ReadinessPart(e.Key, e.Value.Status == HealthStatus.Healthy, e.Value.Description)),
        ]);

    private static IHealthChecksBuilder Add<T>(
        this IHealthChecksBuilder checks, string name, Func<T, HealthCheckResult> look)
        where T : notnull => checks.Add(new HealthCheckRegistration(
            name, services => new SubjectCheck(() => look(services.GetRequiredService<T>())), null, [Tag]));

    private static HealthCheckResult Part(bool isReady, string problem) =>
        isReady ? HealthCheckResult.Healthy() : HealthCheckResult.Unhealthy(problem);

    private static HealthCheckResult Servers(string before, IReadOnlyCollection<string> problems) =>
        problems.Count == 0
            ? HealthCheckResult.Healthy()
            : HealthCheckResult.Degraded(before + string.Join("; ", problems));

    // A capture that others replace is a fact of the host. Jobs are accepted during a check, and begin after it.
    private static HealthCheckResult Captures(CaptureFindings findings)
    {
        if (findings.HoldsJobs)
        {
            return HealthCheckResult.Degraded("checking the captures; jobs are accepted, and wait for the end of that");
        }

        if (findings.Current is not { } check)
        {
            return HealthCheckResult.Healthy();
        }

        IReadOnlyList<string> problems =
            [.. check.Describe(ProofOutcome.Failed), .. check.Describe(ProofOutcome.Unknown)];
        string? text = problems.Count == 0 ? null : string.Join("; ", problems);
        return check.IsSound ? HealthCheckResult.Healthy(text) : HealthCheckResult.Degraded(text);
    }

    private static bool CanWrite(DirectoryStore store)
    {
        try
        {
            store.Prepare();
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private sealed class SubjectCheck(Func<HealthCheckResult> look) : IHealthCheck
    {
        public Task<HealthCheckResult> CheckHealthAsync(
            HealthCheckContext context, CancellationToken cancellationToken = default) => Task.FromResult(look());
    }
}

/// <summary>PostgreSQL answers.</summary>
internal sealed class DatabaseCheck(NodeTable nodes, IOptions<JobsOptions> jobs) : IHealthCheck
{
    // A probe that hangs is as bad as one that fails; PostgreSQL answers in milliseconds.
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(2);

    public async Task<HealthCheckResult> CheckHealthAsync(
        HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        (_, string? problem) = await ListAliveAsync(nodes, jobs.Value, cancellationToken).ConfigureAwait(false);
        return problem is null ? HealthCheckResult.Healthy() : HealthCheckResult.Unhealthy(problem);
    }

    /// <summary>The nodes that are alive, or why that is not known.</summary>
    public static async Task<(IReadOnlyList<NodeRecord> Alive, string? Problem)> ListAliveAsync(
        NodeTable nodes, JobsOptions jobs, CancellationToken cancellationToken)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(Timeout);
        try
        {
            return (await nodes.ListAliveAsync(NodeLiveness.Limit(jobs), deadline.Token).ConfigureAwait(false), null);
        }
        catch (SnapshotException e)
        {
            return ([], e.Message);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return ([], "the database does not answer");
        }
    }
}

/// <summary>The node's worker sends its heartbeat, and can write to its work directory.</summary>
internal sealed class NodeQueueCheck(
    NodeTable nodes, NodeDirectories directories, IOptions<NodeOptions> node, IOptions<JobsOptions> jobs) : IHealthCheck
{
    public async Task<HealthCheckResult> CheckHealthAsync(
        HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        (IReadOnlyList<NodeRecord> alive, string? problem) =
            await DatabaseCheck.ListAliveAsync(nodes, jobs.Value, cancellationToken).ConfigureAwait(false);
        return problem is not null ? HealthCheckResult.Unhealthy("not known while the database does not answer")
            : !directories.CanWrite() ? HealthCheckResult.Unhealthy("the node's work directory can't be written to")
            : alive.FirstOrDefault(n => n.Name == node.Value.Name) is { } self
                ? HealthCheckResult.Healthy($"{self.RunningJobs} of {self.MaxJobs} jobs run")
            : HealthCheckResult.Unhealthy("the worker of this node sends no heartbeat");
    }
}
