using Microsoft.Extensions.Options;
using SnapshotApi.Configuration;
using SnapshotApi.Contracts;
using SnapshotApi.Errors;
using SnapshotApi.Hypervisor;
using SnapshotApi.Jobs;
using SnapshotApi.Persistence;
using SnapshotApi.Stores;

namespace SnapshotApi.Api.Health;

/// <summary>
/// Looks at each part that the role needs. Messages name facts, never host paths: whoever may ask for health may be anybody.
/// </summary>
internal sealed class ReadinessProbe(
    NodeTable nodes,
    DirectoryStore store,
    IEnumerable<IHypervisor> hypervisors,
    IEnumerable<JournalRecovery> recoveries,
    IEnumerable<ServerProblems> servers,
    IEnumerable<NodeDirectories> directories,
    IOptions<ServiceOptions> service,
    IOptions<NodeOptions> node,
    IOptions<JobsOptions> jobs)
{
    // A probe that hangs is as bad as one that fails; PostgreSQL answers in milliseconds.
    private static readonly TimeSpan DatabaseTimeout = TimeSpan.FromSeconds(2);

    /// <summary>Looks once.</summary>
    public async Task<Readiness> LookAsync(CancellationToken cancellationToken)
    {
        ServiceRole role = service.Value.Role;
        (IReadOnlyList<NodeRecord>? alive, string? databaseProblem) = await ListAliveAsync(cancellationToken).ConfigureAwait(false);
        List<ReadinessPart> parts = [new("database", databaseProblem is null, databaseProblem)];
        if (role.IsNode())
        {
            NodeRecord? self = alive?.FirstOrDefault(n => n.Name == node.Value.Name);
            parts.Add(Hypervisor());
            parts.Add(Stores());
            parts.Add(NodeQueue(alive, self));
        }

        string status = parts.All(p => p.IsReady) ? "ready" : "not_ready";
        if (role.IsNode())
        {
            // One guest's trouble is its own: the service is ready for all others.
            ReadinessPart[] ofGuests =
            [
                OfGuests("journal", "clean-up is still to be done: ", recoveries.SelectMany(r => r.Problems)),
                OfGuests("servers", "", servers.SelectMany(s => s.All)),
            ];
            parts.AddRange(ofGuests);
            status = status == "ready" && !ofGuests.All(p => p.IsReady) ? "degraded" : status;
        }

        return new Readiness(status, ServiceVersion.Text, role.Name(), parts);
    }

    private static ReadinessPart OfGuests(string name, string before, IEnumerable<string> problems)
    {
        string said = string.Join("; ", problems);
        return said.Length == 0 ? new ReadinessPart(name, true, null) : new ReadinessPart(name, false, before + said);
    }

    private ReadinessPart NodeQueue(IReadOnlyList<NodeRecord>? alive, NodeRecord? self)
    {
        const string Name = "node_queue";
        if (alive is null)
        {
            return new ReadinessPart(Name, false, "not known while the database does not answer");
        }

        if (!directories.All(d => d.CanWrite()))
        {
            return new ReadinessPart(Name, false, "the node's work directory can't be written to");
        }

        return self is null
            ? new ReadinessPart(Name, false, "the worker of this node gives no sign of life")
            : new ReadinessPart(Name, true, $"{self.RunningJobs} of {self.MaxJobs} jobs run");
    }

    private ReadinessPart Hypervisor()
    {
        bool isConnected = hypervisors.Any(h => h.IsConnected);
        return new ReadinessPart("hypervisor", isConnected, isConnected ? null : "libvirt does not answer");
    }

    private ReadinessPart Stores()
    {
        try
        {
            store.Prepare();
            return new ReadinessPart("stores", true, null);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return new ReadinessPart("stores", false, "the directory store can't be written to");
        }
    }

    private async Task<(IReadOnlyList<NodeRecord>? Alive, string? Problem)> ListAliveAsync(CancellationToken cancellationToken)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(DatabaseTimeout);
        try
        {
            return (await nodes.ListAliveAsync(NodeLiveness.Limit(jobs.Value), deadline.Token).ConfigureAwait(false), null);
        }
        catch (SnapshotException e)
        {
            return (null, e.Message);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return (null, "the database does not answer");
        }
    }
}
