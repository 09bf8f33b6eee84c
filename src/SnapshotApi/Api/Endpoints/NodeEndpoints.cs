using Microsoft.AspNetCore.Http.HttpResults;
using SnapshotApi.Api.Access;
using SnapshotApi.Api.Mapping;
using SnapshotApi.Contracts;
using SnapshotApi.Jobs;
using SnapshotApi.Persistence;

namespace SnapshotApi.Api.Endpoints;

/// <summary>/nodes: the hosts.</summary>
internal static class NodeEndpoints
{
    public static void MapNodes(this IEndpointRouteBuilder routes)
    {
        RouteGroupBuilder nodes = routes.MapGroup("/nodes")
            .WithTags(ApiTags.Nodes).AddEndpointFilter<StrictRequestFilter>();
        nodes.MapGet("", ListAsync).WithName("listNodes")
            .WithMetadata(ErrorCodes.Of(
                SnapshotErrorCode.InvalidRequest, SnapshotErrorCode.DatabaseUnavailable).And("not_acceptable"));
        nodes.MapGet("{node}", GetAsync).WithName("getNode")
            .WithMetadata(ErrorCodes.Of(
                SnapshotErrorCode.InvalidRequest, SnapshotErrorCode.NodeNotFound, SnapshotErrorCode.DatabaseUnavailable)
                .And("not_acceptable"));
        nodes.MapPost("{node}/check", CheckAsync).WithName("checkNode").Needs(AccessRole.Operator)
            .WithMetadata(ErrorCodes.Of(
                SnapshotErrorCode.InvalidRequest, SnapshotErrorCode.NodeNotFound, SnapshotErrorCode.UnsupportedRequest,
                SnapshotErrorCode.HypervisorUnavailable, SnapshotErrorCode.DatabaseUnavailable).And("not_acceptable"));
        ErrorCodes ofChange = ErrorCodes.Of(
            SnapshotErrorCode.InvalidRequest, SnapshotErrorCode.NodeNotFound, SnapshotErrorCode.DatabaseUnavailable)
            .And("not_acceptable");
        nodes.MapPost("{node}/drain", DrainAsync).WithName("drainNode").Needs(AccessRole.Admin).WithMetadata(ofChange);
        nodes.MapDelete("{node}/drain", UndrainAsync).WithName("undrainNode").Needs(AccessRole.Admin)
            .WithMetadata(ofChange);
        nodes.MapDelete("{node}", ForgetAsync).WithName("forgetNode").Needs(AccessRole.Admin)
            .WithMetadata(ErrorCodes.Of(
                SnapshotErrorCode.InvalidRequest, SnapshotErrorCode.NodeNotFound, SnapshotErrorCode.StateConflict,
                SnapshotErrorCode.DatabaseUnavailable).And("not_acceptable"));
    }

    /// <summary>Lists nodes</summary>
    /// <remarks>
    /// Every node that ever sent a heartbeat, by name: its versions, what it can do, its free space and its jobs.
    /// </remarks>
    /// <response code="200">All nodes.</response>
    public static async Task<Ok<Page<Node>>> ListAsync(NodeTable nodes, CancellationToken cancellationToken)
    {
        IReadOnlyList<NodeRecord> all = await nodes.ListAsync(cancellationToken).ConfigureAwait(false);
        return TypedResults.Ok(new Page<Node>([.. all.Select(n => n.ToContract())], Next: null));
    }

    /// <summary>Shows a node</summary>
    /// <remarks>The node as it last told of itself, and what is known of its captures.</remarks>
    /// <param name="node">Name of the node.</param>
    /// <response code="200">The node.</response>
    public static async Task<Ok<Node>> GetAsync(string node, NodeTable nodes, CancellationToken cancellationToken) =>
        TypedResults.Ok((await FindAsync(nodes, node, cancellationToken).ConfigureAwait(false)).ToContract());

    /// <summary>Lets a node prove its captures</summary>
    /// <remarks>
    /// The node takes each capture of throw-away guests of its own, and compares what it reads. Real guests are not
    /// touched, and jobs go on. Poll the node: the check has ended when `check.startedAt` is later than in this answer
    /// and `check.status` is `checked`.
    /// </remarks>
    /// <param name="node">Name of the node.</param>
    /// <response code="202">The node was asked.</response>
    public static async Task<Accepted<Node>> CheckAsync(
        string node, HttpContext context, NodeTable nodes, IOptions<JobsOptions> jobs,
        CancellationToken cancellationToken)
    {
        NodeRecord found = await FindAsync(nodes, node, cancellationToken).ConfigureAwait(false);
        IReadOnlyList<NodeRecord> alive = await nodes
            .ListAliveAsync(NodeLiveness.Limit(jobs.Value), cancellationToken).ConfigureAwait(false);
        if (!alive.Any(n => n.Name == node && n.HypervisorConnected))
        {
            throw new SnapshotException(
                SnapshotErrorCode.HypervisorUnavailable,
                $"node {node} sends no heartbeat, or its libvirt does not answer: see that both run there");
        }

        if (found.Capabilities is { IsQemu: false } other)
        {
            throw new SnapshotException(
                SnapshotErrorCode.UnsupportedRequest,
                $"node {node} runs {other.Driver}: only QEMU's captures are checked");
        }

        await nodes.AskForCheckAsync(node, cancellationToken).ConfigureAwait(false);
        return TypedResults.Accepted(Links.Of(context).Node(node), found.ToContract());
    }

    /// <summary>Drains a node</summary>
    /// <remarks>
    /// No new jobs are accepted for its servers. Those that it has run to their end: when `runningJobs` is 0 and no job
    /// is queued for it, it can be stopped. Asking again changes nothing.
    /// </remarks>
    /// <param name="node">Name of the node.</param>
    /// <response code="200">The node.</response>
    public static Task<Ok<Node>> DrainAsync(string node, NodeTable nodes, CancellationToken cancellationToken) =>
        SetDrainedAsync(nodes, node, isDrained: true, cancellationToken);

    /// <summary>Lets a drained node work again</summary>
    /// <remarks>New jobs are accepted for its servers. Asking again changes nothing.</remarks>
    /// <param name="node">Name of the node.</param>
    /// <response code="200">The node.</response>
    public static Task<Ok<Node>> UndrainAsync(string node, NodeTable nodes, CancellationToken cancellationToken) =>
        SetDrainedAsync(nodes, node, isDrained: false, cancellationToken);

    /// <summary>Forgets a node</summary>
    /// <remarks>
    /// For a host that will not come back. Its servers leave the inventory, and its jobs end as `node_lost`. Images
    /// that lie on it stay listed. A node that lives is not forgotten: stop its service first. One that comes back is
    /// there again.
    /// </remarks>
    /// <param name="node">Name of the node.</param>
    /// <response code="204">The node is forgotten.</response>
    public static async Task<NoContent> ForgetAsync(
        string node, NodeTable nodes, IOptions<JobsOptions> jobs, CancellationToken cancellationToken)
    {
        if (!await nodes.DeleteAsync(node, NodeLiveness.Limit(jobs.Value), cancellationToken).ConfigureAwait(false))
        {
            await FindAsync(nodes, node, cancellationToken).ConfigureAwait(false);
            throw new SnapshotException(
                SnapshotErrorCode.StateConflict, $"node {node} lives: stop its service, and wait until it is silent");
        }

        return TypedResults.NoContent();
    }

    private static async Task<Ok<Node>> SetDrainedAsync(
        NodeTable nodes, string name, bool isDrained, CancellationToken cancellationToken)
    {
        NodeRecord drained = await nodes.DrainAsync(name, isDrained, cancellationToken).ConfigureAwait(false)
            ?? throw NotFound.Node(name);
        return TypedResults.Ok(drained.ToContract());
    }

    private static async Task<NodeRecord> FindAsync(
        NodeTable nodes, string name, CancellationToken cancellationToken) =>
        await nodes.FindAsync(name, cancellationToken).ConfigureAwait(false)
            ?? throw NotFound.Node(name);
}
