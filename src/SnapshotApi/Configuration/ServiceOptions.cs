using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Net;
using System.Net.Sockets;
using System.Reflection;

namespace SnapshotApi.Configuration;

[Description("Keys without a section.")]
internal sealed class ServiceOptions : IValidatableObject
{
    [Description("What the process does; also `--role`.")]
    public ServiceRole Role { get; set; } = ServiceRole.All;

    [Description(
        "Where the service listens besides its socket; several addresses are separated by semicolons. Empty: nowhere "
        + "else. Each needs a key or a token, loopback too: see [access](access.md).")]
    public string Urls { get; set; } = "http://127.0.0.1:5080";

    [Description(
        "Further names by which clients may ask for this service, in the header `Host`; several are separated by "
        + "semicolons, `*.example.com` is every name below `example.com`, and `*` is any. The names and addresses of "
        + "the host need not be named.")]
    public string AllowedHosts { get; set; } = string.Empty;

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (!Enum.IsDefined(Role))
        {
            yield return new ValidationResult("Role must be all, api, node or migrate.");
        }

        foreach (string url in ListenAddress.Split(Urls).Where(url => !ListenAddress.IsAddress(url)))
        {
            yield return new ValidationResult($"Urls has '{url}', which is no address such as http://127.0.0.1:5080.");
        }
    }
}

[OptionsValidator]
internal sealed partial class ServiceOptionsValidator : IValidateOptions<ServiceOptions>;

/// <summary>Version of this service.</summary>
internal static class ServiceVersion
{
    /// <summary>The version without the source revision, for example <c>0.1.0</c>.</summary>
    public static string Text { get; } = typeof(ServiceVersion).Assembly
        .GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+')[0];
}

/// <summary>What one process does.</summary>
internal enum ServiceRole
{
    /// <summary>Everything, on one node.</summary>
    All,

    /// <summary>Serves the HTTP API.</summary>
    Api,

    /// <summary>Runs the jobs of this host, and serves its health and its image files.</summary>
    Node,

    /// <summary>Brings the database up to date, then exits.</summary>
    Migrate,
}

/// <summary>What follows from a role.</summary>
internal static class ServiceRoleExtensions
{
    /// <summary>The process serves the whole HTTP API.</summary>
    public static bool IsApi(this ServiceRole role) => role is ServiceRole.All or ServiceRole.Api;

    /// <summary>The process runs jobs.</summary>
    public static bool IsNode(this ServiceRole role) => role is ServiceRole.All or ServiceRole.Node;

    /// <summary>The role as the command line spells it.</summary>
    public static string Name(this ServiceRole role) => role.ToString().ToLowerInvariant();
}

/// <summary>Reads listen addresses as Kestrel does.</summary>
internal static class ListenAddress
{
    public static string[] Split(string urls) =>
        urls.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    /// <summary>Where the service listens: at Kestrel's own endpoints if there are any, else at <c>Urls</c>.</summary>
    public static IReadOnlyList<string> Of(IConfiguration configuration) => HasEndpoints(configuration)
        ? [.. Endpoints(configuration).Select(e => e["Url"] ?? string.Empty)]
        : Split(configuration[nameof(ServiceOptions.Urls)] ?? new ServiceOptions().Urls);

    /// <summary>Kestrel's own section names endpoints, which win over <c>Urls</c>.</summary>
    public static bool HasEndpoints(IConfiguration configuration) => Endpoints(configuration).Any();

    public static bool IsAddress(string url) => TryParse(url) is not null;

    public static bool IsUnix(string url) => TryParse(url) is { IsUnixPipe: true };

    public static bool IsTls(string url) => url.StartsWith("https:", StringComparison.OrdinalIgnoreCase);

    /// <summary>The name or IP address in it; null where it stands for any.</summary>
    public static string? HostOf(string url) =>
        TryParse(url) is { IsUnixPipe: false } address && !address.Host.AsSpan().ContainsAny('*', '+')
            ? address.Host
            : null;

    /// <summary>Only this host reaches it: a loopback address or a unix socket.</summary>
    public static bool IsLocal(string url) => TryParse(url) is { } address
        && (address.IsUnixPipe
            || string.Equals(address.Host, "localhost", StringComparison.OrdinalIgnoreCase)
            || (IPAddress.TryParse(address.Host.Trim('[', ']'), out IPAddress? ip) && IPAddress.IsLoopback(ip)));

    /// <summary>Another process listens at a loopback address.</summary>
    public static bool IsTaken(string url)
    {
        if (TryParse(url) is not { IsUnixPipe: false } address || !IPAddress.TryParse(address.Host, out IPAddress? ip))
        {
            return false;
        }

        using var socket = new Socket(ip.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.Bind(new IPEndPoint(ip, address.Port));
            return false;
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.AddressAlreadyInUse)
        {
            return true;
        }
    }

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

/// <summary>Addresses of services that this one calls.</summary>
internal static class WebAddress
{
    /// <summary>The rest of a sentence about a key that <see cref="IsOne"/> refuses.</summary>
    public const string Rule = "must be an http or https address without user, query and fragment.";

    /// <summary>An http or https address without a query, and without a user, who would end up in messages.</summary>
    public static bool IsOne(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out Uri? uri)
        && uri is { Scheme: "http" or "https", UserInfo: "", Query: "", Fragment: "" };

    /// <summary>The address with the version at its end, for example <c>http://glance:9292/v2</c>.</summary>
    public static string WithVersion(string text, string version)
    {
        string bare = text.TrimEnd('/');
        return bare.EndsWith($"/{version}", StringComparison.Ordinal) ? bare : $"{bare}/{version}";
    }
}
