using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace SnapshotApi.Configuration;

[Description(
    "Every call but `/health/live` needs a key or a token, or comes over the socket from somebody who may use it. See "
    + "[access](access.md).")]
internal sealed class AuthOptions : IValidatableObject
{
    public const string Section = "Auth";

    [Description(
        "Whether a caller over the network who presents no key is admin: for where something in front of the service "
        + "decides who comes in. It means nothing where keys or tokens are configured, and is refused where "
        + "`Nova__Keystone__Url` is.")]
    public bool AllowAnonymousNetwork { get; set; }

    [Description(
        "A file with a key of an admin, readable by its owner only. If it is missing, and neither `Auth__ApiKeys` nor "
        + "`Auth__Jwt` is configured, the service writes a new key into it at its start. Empty: none.")]
    public string AdminKeyFile { get; set; } = "/etc/snapshotapi/admin.key";

    /// <summary>The keys, by their number: <c>Auth:ApiKeys:0:Name</c>.</summary>
    public Dictionary<string, ApiKeyOptions> ApiKeys { get; } = [];

    [Required]
    [ValidateObjectMembers]
    public JwtOptions Jwt { get; set; } = new();

    /// <summary>The operator has said who may come in: by keys or by tokens.</summary>
    public bool IsConfigured() => ApiKeys.Count > 0 || Jwt.IsConfigured();

    /// <summary>Who comes over the network without a key is admin.</summary>
    public bool IsOpen() => AllowAnonymousNetwork && !IsConfigured();

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext) =>
    [
        .. ApiKeys.SelectMany(k => k.Value.Problems($"{Section}:ApiKeys:{k.Key}"))
            .Concat(Repeated(key => key.Name).Select(n => $"{Section}:ApiKeys:{n}:Name is that of another key."))
            .Concat(Repeated(key => key.Key).Select(n => $"{Section}:ApiKeys:{n}:Key is that of another name."))
            .Concat(AdminKeyFile.Length > 0 && !Path.IsPathFullyQualified(AdminKeyFile)
                ? [$"{Section}:AdminKeyFile must be an absolute path, or empty."]
                : AdminKey.Problem(AdminKeyFile))
            .Select(problem => new ValidationResult(problem)),
    ];

    private IEnumerable<string> Repeated(Func<ApiKeyOptions, string> text) => ApiKeys
        .Where(k => text(k.Value).Length > 0)
        .GroupBy(k => text(k.Value), StringComparer.OrdinalIgnoreCase)
        .SelectMany(group => group.Skip(1).Select(k => k.Key));
}

[OptionsValidator]
internal sealed partial class AuthOptionsValidator : IValidateOptions<AuthOptions>;

[Description(
    "How many snapshots one caller (a key, the subject of a token, else an address) may ask for; beyond that the "
    + "answer is 429. Each process counts for itself.")]
internal sealed class RateLimitOptions
{
    public const string Section = "RateLimit";

    // No backup plan comes near it; a script gone mad leaves the database and the nodes to others.
    [Description("How many requests for snapshots a caller may make a minute, in the long run. 0: no limit.")]
    [Range(0, 60000)]
    public int SnapshotsPerMinute { get; set; } = 600;

    // A nightly plan asks for all of its servers in the same minute.
    [Description("How many of them may come at once.")]
    [Range(1, 100000)]
    public int SnapshotBurst { get; set; } = 1000;
}

[OptionsValidator]
internal sealed partial class RateLimitOptionsValidator : IValidateOptions<RateLimitOptions>;
