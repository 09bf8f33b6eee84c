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
