using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Http.HttpResults;
using SnapshotApi.Persistence;

namespace SnapshotApi.Api.Nova;

/// <summary>/v2.1/servers: the servers that a caller may know of. https://docs.openstack.org/api-ref/compute/#servers-servers</summary>
internal static class NovaServers
{
    private const int MaxLimit = 1000;

    // A pattern of a user's against some hundred names.
    private static readonly TimeSpan PatternTimeout = TimeSpan.FromMilliseconds(100);

    /// <summary>Lists servers, each with its name only.</summary>
    public static async Task<IResult> ListAsync(HttpContext context, ServerOwners owners, CancellationToken cancellationToken)
    {
        (IReadOnlyList<ServerRecord> page, string? next) = await FindAsync(context, owners, cancellationToken).ConfigureAwait(false);
        var view = new NovaServer(owners, NovaDiscovery.AddressOf(context));
        return Answer(page.Select(view.Brief), next);
    }

    /// <summary>Lists servers with all that is known of them.</summary>
    public static async Task<IResult> DetailAsync(HttpContext context, ServerOwners owners, JobTable jobs, CancellationToken cancellationToken)
    {
        (IReadOnlyList<ServerRecord> page, string? next) = await FindAsync(context, owners, cancellationToken).ConfigureAwait(false);
        var view = new NovaServer(owners, NovaDiscovery.AddressOf(context));
        Dictionary<Guid, JobRecord> active = (await jobs.ListActiveAsync(cancellationToken).ConfigureAwait(false)).ToDictionary(j => j.ServerId);
        return Answer(page.Select(s => view.Full(s, active.GetValueOrDefault(s.Description.Id))), next);
    }

    /// <summary>Shows a server.</summary>
    public static async Task<IResult> GetAsync(
        string id, HttpContext context, ServerOwners owners, JobTable jobs, CancellationToken cancellationToken)
    {
        ServerRecord server = await owners.FindAsync(NovaCaller.Of(context), id, cancellationToken).ConfigureAwait(false);
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
        // As Nova: what it does not filter by is passed over.
        IQueryCollection query = context.Request.Query;
        var caller = NovaCaller.Of(context);
        bool ofAllProjects = IsTrue(query["all_tenants"]);
        if (ofAllProjects && !caller.IsAdmin)
        {
            throw NovaRefusal.Of(StatusCodes.Status403Forbidden, "Policy doesn't allow os_compute_api:servers:index:get_all_tenants to be performed.");
        }

        int limit = LimitOf(query["limit"]);
        Func<string, bool> matches = query["name"] is [{ Length: > 0 } name] ? NameFilter(name) : _ => true;
        IEnumerable<ServerRecord> found = (await owners.ListAsync(caller, ofAllProjects, cancellationToken).ConfigureAwait(false))
            .Where(s => matches(ServerOwners.NameOf(s.Description))).ToList();
        if (!found.Any() && caller.IsAdmin && query.ContainsKey("name"))
        {
            // Clients find a server by its name without a word of other projects: an admin may mean one of theirs.
            found = (await owners.ListAsync(caller, ofAllProjects: true, cancellationToken).ConfigureAwait(false))
                .Where(s => matches(ServerOwners.NameOf(s.Description)));
        }

        if (query["status"] is [{ Length: > 0 } status])
        {
            found = found.Where(s => string.Equals(NovaServer.StatusOf(s), status, StringComparison.OrdinalIgnoreCase));
        }

        if (IsTrue(query["deleted"]))
        {
            found = [];
        }

        ServerRecord[] rest = [.. found];
        if (query["marker"] is [{ Length: > 0 } marker])
        {
            int at = Array.FindIndex(rest, s => s.Description.Id.ToString("D") == marker);
            rest = at >= 0 ? rest[(at + 1)..] : throw NovaRefusal.Of(StatusCodes.Status400BadRequest, $"marker [{Validation.TextRule.Shown(marker)}] not found");
        }

        return rest.Length > limit ? (rest[..limit], NextOf(context, rest[limit - 1], limit)) : (rest, null);
    }

    private static string NextOf(HttpContext context, ServerRecord last, int limit)
    {
        IEnumerable<KeyValuePair<string, string?>> kept = context.Request.Query
            .Where(p => p.Key is not ("marker" or "limit"))
            .SelectMany(p => p.Value.Select(v => KeyValuePair.Create(p.Key, v)));
        return NovaDiscovery.AddressOf(context) + context.Request.Path
            + QueryString.Create([.. kept, KeyValuePair.Create("limit", (string?)$"{limit}"), KeyValuePair.Create("marker", (string?)last.Description.Id.ToString("D"))]);
    }

    private static int LimitOf(Microsoft.Extensions.Primitives.StringValues values) => values switch
    {
        [] => MaxLimit,
        [var text] when int.TryParse(text, System.Globalization.CultureInfo.InvariantCulture, out int limit) && limit > 0 => Math.Min(limit, MaxLimit),
        _ => throw NovaRefusal.Of(StatusCodes.Status400BadRequest, "limit must be a whole number above 0"),
    };

    // Nova's database matches the name as a pattern, anywhere in it. What is no pattern is looked for as it is.
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

    private static bool IsTrue(Microsoft.Extensions.Primitives.StringValues values) => values is [var text] && text is "1" or "True" or "true" or "TRUE" or "yes" or "on";
}
