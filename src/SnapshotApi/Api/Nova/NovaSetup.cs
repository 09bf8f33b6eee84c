using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http.Headers;
using Microsoft.Extensions.Primitives;
using SnapshotApi.Api.Access;
using SnapshotApi.Jobs;

namespace SnapshotApi.Api.Nova;

/// <summary>Registration of Nova's API, which is served when a Keystone is configured.</summary>
internal static class NovaSetup
{
    public static bool HasNova(IConfiguration configuration) =>
        configuration.GetSection(NovaOptions.Section).Get<NovaOptions>()?.IsConfigured() == true;

    public static IServiceCollection AddNova(this IServiceCollection services, ServiceRole role)
    {
        services.AddSingleton<KeystoneTokens>();
        services.AddSingleton<ServerOwners>();
        if (role.IsApi())
        {
            services.AddSingleton<ReservationReconciler>();
            services.AddHostedService(provider => provider.GetRequiredService<ReservationReconciler>());
        }

        return services;
    }

    public static void MapNova(this WebApplication app)
    {
        app.MapNovaDiscovery();
        RouteGroupBuilder nova = app.MapGroup(NovaRequest.Prefix)
            .AddEndpointFilter<NovaVersionFilter>().ExcludeFromDescription();
        nova.MapGet("/servers", NovaServers.ListAsync);
        nova.MapGet("/servers/detail", NovaServers.DetailAsync);
        nova.MapGet("/servers/{id}", NovaServers.GetAsync);
        nova.MapPost("/servers/{id}/action", NovaActions.ActAsync)
            .Needs(AccessRole.Operator).RequireRateLimiting(AccessPolicies.SnapshotRate);
    }
}

/// <summary>Version discovery, which some clients do before they have a token.</summary>
internal static class NovaDiscovery
{
    public static void MapNovaDiscovery(this IEndpointRouteBuilder routes)
    {
        routes.MapGet("/", GetRoot).AllowAnonymous().ExcludeFromDescription();
        routes.MapGet(NovaRequest.Prefix, GetVersion).AllowAnonymous().ExcludeFromDescription();
    }

    public static string AddressOf(HttpContext context)
    {
        NovaOptions options = context.RequestServices.GetRequiredService<IOptions<NovaOptions>>().Value;
        return options.PublicUrl.Length > 0
            ? options.PublicUrl.TrimEnd('/')
            : $"{context.Request.Scheme}://{context.Request.Host}{context.Request.PathBase}";
    }

    /// <summary>Sends the versions, and a browser to Swagger UI.</summary>
    public static IResult GetRoot(HttpContext context) =>
        new RequestHeaders(context.Request.Headers).Accept.Any(a => a.MediaType == "text/html")
            ? TypedResults.Redirect("/swagger")
            : TypedResults.Json(new JsonObject { ["versions"] = new JsonArray(Version(context)) });

    public static IResult GetVersion(HttpContext context) =>
        TypedResults.Json(new JsonObject { ["version"] = Version(context) });

    private static JsonObject Version(HttpContext context) => new()
    {
        ["id"] = "v2.1",
        ["status"] = "CURRENT",
        ["version"] = NovaVersion.Newest.ToString(),
        ["min_version"] = NovaVersion.Oldest.ToString(),
        ["updated"] = "2013-07-23T11:33:21Z",
        ["links"] = new JsonArray(
            new JsonObject { ["rel"] = "self", ["href"] = $"{AddressOf(context)}{NovaRequest.Prefix}/" }),
    };
}

/// <summary>A microversion of Nova's API. https://docs.openstack.org/api-guide/compute/microversions.html</summary>
/// <param name="Minor">The number after <c>2.</c>.</param>
internal readonly record struct NovaVersion(int Minor) : IComparable<NovaVersion>
{
    /// <summary>Header since 2.27.</summary>
    public const string Header = "OpenStack-API-Version";

    /// <summary>Header before 2.27; clients still send it.</summary>
    public const string OldHeader = "X-OpenStack-Nova-API-Version";

    private const string Service = "compute";

    /// <summary>The version of a request without header.</summary>
    public static readonly NovaVersion Oldest = new(1);

    /// <summary>
    /// From 2.45 on, answers of createImage name the image in their body. From 2.47 on, servers show a flavor in full,
    /// of which libvirt knows nothing.
    /// </summary>
    public static readonly NovaVersion Newest = new(45);

    /// <summary>Since 2.45 the body of an answer names the image, before it the header Location does.</summary>
    public bool HasImageInBody => Minor >= 45;

    /// <summary>The version that a request asks for; null when it is malformed.</summary>
    public static NovaVersion? Read(IHeaderDictionary headers)
    {
        foreach (string? value in headers[Header])
        {
            foreach (string one in (value ?? string.Empty).Split(',', StringSplitOptions.TrimEntries))
            {
                if (one.Split(' ', StringSplitOptions.RemoveEmptyEntries) is [Service, var version])
                {
                    return Parse(version);
                }
            }
        }

        return headers[OldHeader] is [{ Length: > 0 } old] ? Parse(old) : Oldest;
    }

    public int CompareTo(NovaVersion other) => Minor.CompareTo(other.Minor);

    public override string ToString() => $"2.{Minor.ToString(CultureInfo.InvariantCulture)}";

    private static NovaVersion? Parse(string text) =>
        text == "latest" ? Newest
        : text.Split('.') is [var major, var minor]
            && int.TryParse(major, NumberStyles.None, CultureInfo.InvariantCulture, out int generation)
            && int.TryParse(minor, NumberStyles.None, CultureInfo.InvariantCulture, out int number)
                ? new NovaVersion(generation == 2 ? number : generation < 2 ? 0 : int.MaxValue)
                : null;
}

/// <summary>Negotiates the microversion, and names it in each answer.</summary>
internal sealed class NovaVersionFilter : IEndpointFilter
{
    public async ValueTask<object?> InvokeAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        HttpContext http = context.HttpContext;
        if (NovaVersion.Read(http.Request.Headers) is not { } version)
        {
            throw NovaRefusal.Of(
                StatusCodes.Status400BadRequest, "The microversion asked for is not of the form MAJOR.MINOR.");
        }

        if (version.CompareTo(NovaVersion.Oldest) < 0 || version.CompareTo(NovaVersion.Newest) > 0)
        {
            throw NovaRefusal.Of(
                StatusCodes.Status406NotAcceptable,
                $"Version {version} is not supported by the API. "
                + $"Minimum is {NovaVersion.Oldest} and maximum is {NovaVersion.Newest}.");
        }

        NovaRequest.Of(http)!.Version = version;
        http.Response.Headers[NovaVersion.Header] = $"compute {version}";
        http.Response.Headers[NovaVersion.OldHeader] = version.ToString();
        http.Response.Headers.Vary = new StringValues([NovaVersion.Header, NovaVersion.OldHeader]);
        return await next(context).ConfigureAwait(false);
    }
}
