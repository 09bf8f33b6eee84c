using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace SnapshotApi.Configuration;

/// <summary>Section <c>Auth</c>: who may use the API. With keys or tokens configured, everything but <c>/health/live</c> needs one.</summary>
internal sealed class AuthOptions : IValidatableObject
{
    /// <summary>Name of the section.</summary>
    public const string Section = "Auth";

    /// <summary>
    /// Whether the service may listen where other hosts reach it although it asks nobody who they are.
    /// </summary>
    /// <value>
    /// Default false: the service refuses to start then. Set true only where something in front of it decides who comes in, as a
    /// container whose port is published on the loopback address of its host. It means nothing where keys or tokens are configured.
    /// </value>
    public bool AllowAnonymousNetwork { get; set; }

    /// <summary>The keys, by their number: <c>Auth:ApiKeys:0:Name</c>.</summary>
    public Dictionary<string, ApiKeyOptions> ApiKeys { get; } = [];

    /// <summary>Section <c>Auth:Jwt</c>.</summary>
    [Required]
    [ValidateObjectMembers]
    public JwtOptions Jwt { get; set; } = new();

    /// <summary>Callers are asked who they are.</summary>
    public bool IsConfigured() => ApiKeys.Count > 0 || Jwt.IsConfigured();

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        foreach ((string number, ApiKeyOptions key) in ApiKeys)
        {
            foreach (string problem in key.Problems($"{Section}:ApiKeys:{number}"))
            {
                yield return new ValidationResult(problem);
            }
        }

        foreach (string number in Repeated(key => key.Name.ToUpperInvariant()))
        {
            yield return new ValidationResult($"{Section}:ApiKeys:{number}:Name is that of another key.");
        }

        foreach (string number in Repeated(key => key.Key.ToUpperInvariant()))
        {
            yield return new ValidationResult($"{Section}:ApiKeys:{number}:Key is that of another name.");
        }
    }

    private IEnumerable<string> Repeated(Func<ApiKeyOptions, string> text) => ApiKeys
        .Where(k => text(k.Value).Length > 0)
        .GroupBy(k => text(k.Value))
        .SelectMany(group => group.Skip(1).Select(k => k.Key));
}

/// <summary>Checks <see cref="AuthOptions"/> at start; all errors at once.</summary>
[OptionsValidator]
internal sealed partial class AuthOptionsValidator : IValidateOptions<AuthOptions>;

/// <summary>Section <c>RateLimit</c>: how many snapshots one caller may ask for; each process counts for itself.</summary>
internal sealed class RateLimitOptions
{
    /// <summary>Name of the section.</summary>
    public const string Section = "RateLimit";

    /// <summary>How many requests for snapshots a caller may make a minute, in the long run.</summary>
    /// <value>
    /// 0 to 60000; 0: no limit. Default 600: no backup plan comes near it, while a script gone mad leaves the database and the nodes,
    /// which look at the server for each request, to others.
    /// </value>
    [Range(0, 60000)]
    public int SnapshotsPerMinute { get; set; } = 600;

    /// <summary>How many requests may come at once.</summary>
    /// <value>1 to 100000. Default 1000: a nightly plan asks for all of its servers at the same minute.</value>
    [Range(1, 100000)]
    public int SnapshotBurst { get; set; } = 1000;
}

/// <summary>Checks <see cref="RateLimitOptions"/> at start; all errors at once.</summary>
[OptionsValidator]
internal sealed partial class RateLimitOptionsValidator : IValidateOptions<RateLimitOptions>;
