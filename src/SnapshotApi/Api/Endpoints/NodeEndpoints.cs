using Microsoft.AspNetCore.Http.HttpResults;
using SnapshotApi.Api.Contracts;
using SnapshotApi.Api.Mapping;
using SnapshotApi.Errors;
using SnapshotApi.Persistence;

namespace SnapshotApi.Api.Endpoints;

/// <summary>/nodes: the hosts.</summary>
internal static class NodeEndpoints
{
    /// <summary>Adds the operations.</summary>
    public static void MapNodes(this IEndpointRouteBuilder routes)
    {
        RouteGroupBuilder nodes = routes.MapGroup("/nodes").WithTags(ApiTags.Nodes).AddEndpointFilter<StrictRequestFilter>();
        nodes.MapGet("", ListAsync).WithName("listNodes")
            .WithMetadata(ErrorCodes.Of(SnapshotErrorCode.InvalidRequest, SnapshotErrorCode.DatabaseUnavailable).And("not_acceptable"));
    }

    /// <summary>Lists nodes</summary>
    /// <remarks>Every node that ever gave a sign of life, by name: its versions, what it can do, its free space and its jobs.</remarks>
    /// <response code="200">All nodes.</response>
    public static async Task<Ok<Page<Node>>> ListAsync(NodeTable nodes, CancellationToken cancellationToken)
    {
        IReadOnlyList<NodeRecord> all = await nodes.ListAsync(cancellationToken).ConfigureAwait(false);
        return TypedResults.Ok(new Page<Node>([.. all.Select(n => n.ToContract())], Next: null));
    }
}
