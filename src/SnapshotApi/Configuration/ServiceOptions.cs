using System.ComponentModel.DataAnnotations;
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
