using Microsoft.AspNetCore.Http.HttpResults;
using SnapshotApi.Api.Mapping;
using SnapshotApi.Api.Validation;
using SnapshotApi.Contracts;
using SnapshotApi.Persistence;

namespace SnapshotApi.Api.Endpoints;

/// <summary>/servers: the inventory of all nodes.</summary>
internal static class ServerEndpoints
{
    private static readonly QueryParameter[] Filters =
    [
        new("name", typeof(string), "Only servers of this name."),
        new("node", typeof(string), "Only servers of this node."),
        QueryParameter.Cursor,
        QueryParameter.Limit,
    ];

    public static void MapServers(this IEndpointRouteBuilder routes)
    {
        RouteGroupBuilder servers = routes.MapGroup("/servers")
            .WithTags(ApiTags.Servers).AddEndpointFilter<StrictRequestFilter>();
        servers.MapGet("", ListAsync).WithName("listServers")
            .WithMetadata([.. Filters, ErrorCodes.Of(
                SnapshotErrorCode.InvalidRequest, SnapshotErrorCode.DatabaseUnavailable).And("not_acceptable")]);
        servers.MapGet("{server}", GetAsync).WithName("getServer")
            .WithMetadata(ErrorCodes.Of(
                SnapshotErrorCode.InvalidRequest, SnapshotErrorCode.ServerNotFound, SnapshotErrorCode.ServerAmbiguous,
                SnapshotErrorCode.DatabaseUnavailable).And("not_acceptable"));
    }

    /// <summary>Lists servers</summary>
    /// <remarks>All servers of all nodes, by name, as the nodes last saw them.</remarks>
    /// <response code="200">A page of servers. The header Link names the next one.</response>
    public static async Task<Ok<Page<Server>>> ListAsync(
        HttpContext context, ServerTable servers, CancellationToken cancellationToken)
    {
        var query = new QueryFields(context);
        string? name = query.Text("name");
        string? node = query.Text("node");
        ServerCursor? after = query.Cursor(Cursors.DecodeServer);
        int limit = query.Limit();
        query.ThrowIfWrong();

        // One row more than the page has tells whether there is a next one.
        IReadOnlyList<ServerRecord> found = await servers
            .ListAsync(new ServerFilter(name, node, after, limit + 1), cancellationToken).ConfigureAwait(false);
        var links = Links.Of(context);
        return Paging.Answer(context, found, limit, s => Cursors.Encode(CursorOf(s)), s => s.ToContract(links));
    }

    /// <summary>Shows a server</summary>
    /// <remarks>The server as its node last saw it: power state, disks, and whether its agent answers.</remarks>
    /// <param name="server">UUID or unique name of the server.</param>
    /// <response code="200">The server.</response>
    public static async Task<Ok<Server>> GetAsync(
        string server, HttpContext context, ServerLookup servers, CancellationToken cancellationToken)
    {
        ServerRecord found = await servers.FindAsync(server, cancellationToken).ConfigureAwait(false);
        return TypedResults.Ok(found.ToContract(Links.Of(context)));
    }

    private static ServerCursor CursorOf(ServerRecord server) =>
        new(server.Description.Name, server.Description.Id, server.Node);
}
