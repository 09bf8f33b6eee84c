using System.Net;

namespace SnapshotApi.Configuration;

/// <summary>Reads addresses to listen at, as Kestrel does.</summary>
internal static class ListenAddress
{
    /// <summary>The addresses of a list.</summary>
    public static string[] Split(string urls) =>
        urls.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    /// <summary>Where a configuration makes the service listen: at Kestrel's own endpoints, where there are some, else at <c>Urls</c>.</summary>
    public static IReadOnlyList<string> Of(IConfiguration configuration) => HasEndpoints(configuration)
        ? [.. Endpoints(configuration).Select(e => e["Url"] ?? string.Empty)]
        : Split(configuration[nameof(ServiceOptions.Urls)] ?? new ServiceOptions().Urls);

    /// <summary>Kestrel is told where to listen in its own section, which wins over <c>Urls</c>.</summary>
    public static bool HasEndpoints(IConfiguration configuration) => Endpoints(configuration).Any();

    /// <summary>It can be listened at.</summary>
    public static bool IsAddress(string url) => TryParse(url) is not null;

    /// <summary>Only this host reaches it: a loopback address or a unix socket.</summary>
    public static bool IsLocal(string url) => TryParse(url) is { } address
        && (address.IsUnixPipe
            || string.Equals(address.Host, "localhost", StringComparison.OrdinalIgnoreCase)
            || (IPAddress.TryParse(address.Host.Trim('[', ']'), out IPAddress? ip) && IPAddress.IsLoopback(ip)));

    private static IEnumerable<IConfigurationSection> Endpoints(IConfiguration configuration) =>
        configuration.GetSection("Kestrel:Endpoints").GetChildren();

    private static BindingAddress? TryParse(string url)
    {
        try
        {
            BindingAddress address = BindingAddress.Parse(url);
            return address.Scheme is "http" or "https" ? address : null;
        }
        catch (FormatException)
        {
            return null;
        }
    }
}
