using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Primitives;
using SnapshotApi.Api.Validation;
using SnapshotApi.Hypervisor;
using SnapshotApi.Persistence;

namespace SnapshotApi.Api.Nova;

/// <summary>
/// /v2.1/servers: the servers that a caller may see. https://docs.openstack.org/api-ref/compute/#servers-servers
/// </summary>
internal static class NovaServers
{
    private const int MaxLimit = 1000;

    // A user's pattern is matched with some hundred names.
    private static readonly TimeSpan PatternTimeout = TimeSpan.FromMilliseconds(100);

    public static async Task<IResult> ListAsync(
        HttpContext context, ServerOwners owners, CancellationToken cancellationToken)
    {
        (IReadOnlyList<ServerRecord> page, string? next) =
            await FindAsync(context, owners, cancellationToken).ConfigureAwait(false);
        var view = new NovaServer(owners, NovaDiscovery.AddressOf(context));
        return Answer(page.Select(view.Brief), next);
    }

    public static async Task<IResult> DetailAsync(
        HttpContext context, ServerOwners owners, JobTable jobs, CancellationToken cancellationToken)
    {
        (IReadOnlyList<ServerRecord> page, string? next) =
            await FindAsync(context, owners, cancellationToken).ConfigureAwait(false);
        var view = new NovaServer(owners, NovaDiscovery.AddressOf(context));
        IReadOnlyList<JobRecord> found = await jobs
            .ListActiveAsync(page.Select(s => s.Description.Id), cancellationToken).ConfigureAwait(false);
        Dictionary<Guid, JobRecord> active = found.ToDictionary(j => j.ServerId);
        return Answer(page.Select(s => view.Full(s, active.GetValueOrDefault(s.Description.Id))), next);
    }

    public static async Task<IResult> GetAsync(
        string id, HttpContext context, ServerOwners owners, JobTable jobs, CancellationToken cancellationToken)
    {
        ServerRecord server =
            await owners.FindAsync(NovaCaller.Of(context), id, cancellationToken).ConfigureAwait(false);
        JobRecord? active = await jobs.FindActiveAsync(server.Description.Id, cancellationToken).ConfigureAwait(false);
        var view = new NovaServer(owners, NovaDiscovery.AddressOf(context));
        return TypedResults.Json(new JsonObject { ["server"] = view.Full(server, active) });
    }

    private static JsonHttpResult<JsonObject> Answer(IEnumerable<JsonObject> servers, string? next)
    {
        var answer = new JsonObject { ["servers"] = new JsonArray([.. servers]) };
        if (next is not null)
        {
            answer["servers_links"] = new JsonArray(new JsonObject { ["rel"] = "next", ["href"] = next });
        }

        return TypedResults.Json(answer);
    }

    private static async Task<(IReadOnlyList<ServerRecord> Page, string? Next)> FindAsync(
        HttpContext context, ServerOwners owners, CancellationToken cancellationToken)
    {
        // As in Nova, unknown filters are ignored.
        IQueryCollection query = context.Request.Query;
        var caller = NovaCaller.Of(context);
        bool ofAllProjects = IsTrue(query["all_tenants"]);
        if (ofAllProjects && !caller.IsAdmin)
        {
            throw NovaRefusal.Of(
                StatusCodes.Status403Forbidden,
                "Policy doesn't allow os_compute_api:servers:index:get_all_tenants to be performed.");
        }

        int limit = LimitOf(query["limit"]);
        Func<string, bool> isNamed = query["name"] is [{ Length: > 0 } name] ? NameFilter(name) : _ => true;
        string? status = query["status"] is [{ Length: > 0 } wanted] ? wanted : null;
        ServerDescription? after = query["marker"] is [{ Length: > 0 } marker]
            ? await FindMarkerAsync(marker).ConfigureAwait(false)
            : null;
        if (IsTrue(query["deleted"]))
        {
            return ([], null);
        }

        IReadOnlyList<ServerRecord> found = await ListAsync(ofAllProjects).ConfigureAwait(false);
        if (found.Count == 0 && !ofAllProjects && caller.IsAdmin && query.ContainsKey("name")
            && !await HasOwnAsync().ConfigureAwait(false))
        {
            // Clients look for a name without all_tenants; an admin may mean a server of another project. On all pages.
            found = await ListAsync(isOfAll: true).ConfigureAwait(false);
        }

        // One server more than the page has tells whether there is a next one.
        return found.Count > limit
            ? ([.. found.Take(limit)], NextOf(context, found[limit - 1], limit))
            : (found, null);

        Task<IReadOnlyList<ServerRecord>> ListAsync(bool isOfAll) =>
            owners.ListAsync(caller, isOfAll, after, IsMeant, limit + 1, cancellationToken);

        async Task<bool> HasOwnAsync() => (await owners.ListAsync(
            caller, ofAllProjects: false, null, s => isNamed(ServerOwners.NameOf(s.Description)), 1, cancellationToken)
            .ConfigureAwait(false)).Count > 0;

        bool IsMeant(ServerRecord server) => isNamed(ServerOwners.NameOf(server.Description))
            && (status is null
                || string.Equals(NovaServer.StatusOf(server), status, StringComparison.OrdinalIgnoreCase));

        async Task<ServerDescription> FindMarkerAsync(string id)
        {
            try
            {
                return (await owners.FindAsync(caller, id, cancellationToken).ConfigureAwait(false)).Description;
            }
            catch (RequestRejectedException)
            {
                throw NovaRefusal.Of(StatusCodes.Status400BadRequest, $"marker [{TextRule.Shown(id)}] not found");
            }
        }
    }

    private static string NextOf(HttpContext context, ServerRecord last, int limit)
    {
        IEnumerable<KeyValuePair<string, StringValues>> query = context.Request.Query
            .Where(p => p.Key is not ("marker" or "limit"))
            .Append(KeyValuePair.Create("limit", new StringValues($"{limit}")))
            .Append(KeyValuePair.Create("marker", new StringValues($"{last.Description.Id:D}")));
        return NovaDiscovery.AddressOf(context) + context.Request.Path + QueryString.Create(query);
    }

    private static int LimitOf(StringValues values) => values switch
    {
        [] => MaxLimit,
        [var text] when int.TryParse(text, CultureInfo.InvariantCulture, out int limit) && limit > 0 =>
            Math.Min(limit, MaxLimit),
        _ => throw NovaRefusal.Of(StatusCodes.Status400BadRequest, "limit must be a whole number above 0"),
    };

    // Nova's database matches a pattern anywhere in the name. A text that is no pattern is searched for literally.
    private static Func<string, bool> NameFilter(string text)
    {
        try
        {
            var pattern = new Regex(text, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant, PatternTimeout);
            return name => name.Contains(text, StringComparison.Ordinal) || pattern.IsMatch(name);
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            return name => name.Contains(text, StringComparison.Ordinal);
        }
    }

    private static bool IsTrue(StringValues values) =>
        values is ["1" or "True" or "true" or "TRUE" or "yes" or "on"];
}
