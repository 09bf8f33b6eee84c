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
            checks.Add<IHypervisor>("hypervisor", h => Part(h.Problem))
                .Add<DirectoryStore>("stores", s => Part(s.FindProblem()))
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

    private static HealthCheckResult Part(string? problem) =>
        problem is null ? HealthCheckResult.Healthy() : HealthCheckResult.Unhealthy(problem);

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

    private sealed class SubjectCheck(Func<HealthCheckResult> look) : IHealthCheck
    {
        public Task<HealthCheckResult> CheckHealthAsync(
            HealthCheckContext context, CancellationToken cancellationToken = default) => Task.FromResult(look());
    }
}

/// <summary>PostgreSQL answers.</summary>
internal sealed class DatabaseCheck(NodeTable nodes, DatabaseStartup startup) : IHealthCheck
{
    // A probe that hangs is as bad as one that fails; PostgreSQL answers in milliseconds.
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(2);

    public async Task<HealthCheckResult> CheckHealthAsync(
        HealthCheckContext context, CancellationToken cancellationToken = default) =>
        (startup.Problem ?? await TryAsync(nodes.AskAsync, cancellationToken).ConfigureAwait(false)) is { } problem
            ? HealthCheckResult.Unhealthy(problem)
            : HealthCheckResult.Healthy();

    /// <summary>Asks the database something; returns why it did not answer, or null.</summary>
    public static async Task<string?> TryAsync(
        Func<CancellationToken, Task> ask, CancellationToken cancellationToken)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(Timeout);
        try
        {
            await ask(deadline.Token).ConfigureAwait(false);
            return null;
        }
        catch (SnapshotException e)
        {
            return e.Message;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return "the database does not answer";
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
        NodeRecord? self = null;
        string? problem = await DatabaseCheck.TryAsync(
            async token => self = await nodes
                .FindAliveAsync(node.Value.Name, NodeLiveness.Limit(jobs.Value), token).ConfigureAwait(false),
            cancellationToken).ConfigureAwait(false);
        return directories.FindProblem() is { } unwritable ? HealthCheckResult.Unhealthy(unwritable)
            : problem is not null ? HealthCheckResult.Unhealthy("not known while the database does not answer")
            : self is not null ? HealthCheckResult.Healthy($"{self.RunningJobs} of {self.MaxJobs} jobs run")
            : HealthCheckResult.Unhealthy("the worker of this node sends no heartbeat");
    }
}
