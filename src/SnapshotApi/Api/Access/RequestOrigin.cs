using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;

namespace SnapshotApi.Api.Access;

/// <summary>
/// Refuses what a browser sends for a page of another site, before it is asked who asks. A site may let its own name
/// stand for an address of this service (DNS rebinding), so the name must be one of this host's. An address can't be
/// made to stand for another one: it is always right.
/// </summary>
internal sealed class RequestOrigin
{
    private readonly RequestDelegate _next;
    private readonly AccessLog _log;
    private readonly IList<StringSegment> _configured;
    private volatile IList<StringSegment> _names;

    public RequestOrigin(
        RequestDelegate next,
        IConfiguration configuration,
        IOptions<ServiceOptions> service,
        IOptions<NovaOptions> nova,
        AccessLog log)
    {
        (_next, _log) = (next, log);
        _configured = [.. ListenAddress.Split(service.Value.AllowedHosts).Select(h => new StringSegment(h))];
        string host = Dns.GetHostName();
        string[] addresses = [.. ListenAddress.Of(configuration), nova.Value.PublicUrl];
        _names =
        [
            .. _configured,
            "localhost",
            host,
            host.Split('.')[0],
            .. addresses.Select(ListenAddress.HostOf).OfType<string>().Select(h => new StringSegment(h)),
        ];
        _ = AddFullNameAsync(host);
    }

    public Task InvokeAsync(HttpContext context)
    {
        HttpRequest request = context.Request;
        if (PeerTable.SocketOf(context) is null && !IsOwn(request.Host))
        {
            return RefuseAsync(
                context,
                "http_error",
                "the name in the header Host is none of this service's: ask it by an address or by the name of its "
                + "host, or add the name to the key AllowedHosts");
        }

        return IsForeignPage(request)
            ? RefuseAsync(context, "forbidden", "a page of another site may not use this service")
            : _next(context);
    }

    private bool IsOwn(HostString host) => !host.HasValue
        || IPAddress.TryParse(host.Host.Trim('[', ']'), out _)
        || HostString.MatchesAny(host.Value, _names);

    // A proxy may have put another name into Host; then the browser says, or the operator, that it is the same site.
    private bool IsForeignPage(HttpRequest request) =>
        request.Headers.Origin is [{ Length: > 0 } origin]
        && request.Headers["Sec-Fetch-Site"] != "same-origin"
        && !(Uri.TryCreate(origin, UriKind.Absolute, out Uri? page)
            && (string.Equals(page.Authority, request.Host.Value, StringComparison.OrdinalIgnoreCase)
                || HostString.MatchesAny(page.Authority, [.. _configured.Where(h => h != "*")])));

    private async Task AddFullNameAsync(string host)
    {
        try
        {
            IPHostEntry entry = await Dns.GetHostEntryAsync(host).ConfigureAwait(false);
            _names = [.. _names, entry.HostName];
        }
        catch (SocketException e)
        {
            _log.NoFullName(host, e.Message);
        }
    }

    private Task RefuseAsync(HttpContext context, string code, string detail)
    {
        _log.TurnedAway(context, code, detail);
        context.Response.Headers[HeaderNames.CacheControl] = "no-store";
        return ProblemWriter.WriteAsync(context, ProblemMapping.Of(code), detail);
    }
}
