using System.Globalization;
using Microsoft.Extensions.Primitives;

namespace SnapshotApi.Api.Nova;

/// <summary>A microversion of Nova's API. https://docs.openstack.org/api-guide/compute/microversions.html</summary>
/// <param name="Minor">The number after <c>2.</c>.</param>
internal readonly record struct NovaVersion(int Minor) : IComparable<NovaVersion>
{
    /// <summary>Header since 2.27.</summary>
    public const string Header = "OpenStack-API-Version";

    /// <summary>Header before that; clients still send it.</summary>
    public const string OldHeader = "X-OpenStack-Nova-API-Version";

    private const string Service = "compute";

    /// <summary>What a request without header gets.</summary>
    public static readonly NovaVersion Oldest = new(1);

    /// <summary>
    /// The newest: answers of createImage name the image in their body from here on. From 2.47 on, servers show a flavor in full, of which
    /// libvirt knows nothing.
    /// </summary>
    public static readonly NovaVersion Newest = new(45);

    /// <summary>Since 2.45 the body of an answer names the image, before it the header Location does.</summary>
    public bool HasImageInBody => Minor >= 45;

    /// <summary>The version that a request asks for; null when what it says is no version.</summary>
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

/// <summary>Agrees on a microversion with the client, and says it with each answer.</summary>
internal sealed class NovaVersionFilter : IEndpointFilter
{
    public async ValueTask<object?> InvokeAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        HttpContext http = context.HttpContext;
        if (NovaVersion.Read(http.Request.Headers) is not { } version)
        {
            throw NovaRefusal.Of(StatusCodes.Status400BadRequest, "The microversion asked for is not of the form MAJOR.MINOR.");
        }

        if (version.CompareTo(NovaVersion.Oldest) < 0 || version.CompareTo(NovaVersion.Newest) > 0)
        {
            throw NovaRefusal.Of(
                StatusCodes.Status406NotAcceptable,
                $"Version {version} is not supported by the API. Minimum is {NovaVersion.Oldest} and maximum is {NovaVersion.Newest}.");
        }

        NovaRequest.Of(http)!.Version = version;
        http.Response.Headers[NovaVersion.Header] = $"compute {version}";
        http.Response.Headers[NovaVersion.OldHeader] = version.ToString();
        http.Response.Headers.Vary = new StringValues([NovaVersion.Header, NovaVersion.OldHeader]);
        return await next(context).ConfigureAwait(false);
    }
}
