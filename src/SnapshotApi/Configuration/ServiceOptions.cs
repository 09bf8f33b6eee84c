using System.ComponentModel.DataAnnotations;
using System.Net;
using Microsoft.Extensions.Options;

namespace SnapshotApi.Configuration;

/// <summary>The keys without a section: what the process does, and where it listens.</summary>
internal sealed class ServiceOptions : IValidatableObject
{
    /// <summary>What the process does.</summary>
    /// <value><c>all</c>, <c>api</c>, <c>node</c> or <c>migrate</c>. Default <c>all</c>.</value>
    public ServiceRole Role { get; set; } = ServiceRole.All;

    /// <summary>Where it listens; several are parted by semicolons.</summary>
    /// <value>Default <c>http://127.0.0.1:5080</c>: this host only, for without keys nobody is asked who they are.</value>
    [Required]
    public string Urls { get; set; } = "http://127.0.0.1:5080";

    /// <inheritdoc/>
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (!Enum.IsDefined(Role))
        {
            yield return new ValidationResult("Role must be all, api, node or migrate.");
        }

        foreach (string url in ListenAddress.Split(Urls).Where(url => !ListenAddress.IsAddress(url)))
        {
            yield return new ValidationResult($"Urls holds '{url}', which is no address such as http://127.0.0.1:5080.");
        }
    }
}

/// <summary>Checks <see cref="ServiceOptions"/> at start; all errors at once.</summary>
[OptionsValidator]
internal sealed partial class ServiceOptionsValidator : IValidateOptions<ServiceOptions>;

/// <summary>What one process does.</summary>
internal enum ServiceRole
{
    /// <summary>Everything, on one node.</summary>
    All,

    /// <summary>Serves the HTTP API.</summary>
    Api,

    /// <summary>Runs the jobs of this host, and serves its health and its image files.</summary>
    Node,

    /// <summary>Brings the database up to date, and ends.</summary>
    Migrate,
}

/// <summary>What follows from a role.</summary>
internal static class ServiceRoleExtensions
{
    /// <summary>It serves the whole HTTP API.</summary>
    public static bool IsApi(this ServiceRole role) => role is ServiceRole.All or ServiceRole.Api;

    /// <summary>It runs jobs.</summary>
    public static bool IsNode(this ServiceRole role) => role is ServiceRole.All or ServiceRole.Node;

    /// <summary>The role as it is written on the command line.</summary>
    public static string Name(this ServiceRole role) => role.ToString().ToLowerInvariant();
}

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

/// <summary>Addresses of services that we talk to.</summary>
internal static class WebAddress
{
    /// <summary>It is an address of a service, without a user, who would end up in messages, and without a query.</summary>
    public static bool IsOne(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out Uri? uri)
        && uri is { Scheme: "http" or "https", UserInfo: "", Query: "", Fragment: "" };

    /// <summary>The address with a version at its end, whether it was given with it or not; for example <c>http://glance:9292/v2</c>.</summary>
    public static string WithVersion(string text, string version)
    {
        string bare = text.TrimEnd('/');
        return bare.EndsWith($"/{version}", StringComparison.Ordinal) ? bare : $"{bare}/{version}";
    }
}
