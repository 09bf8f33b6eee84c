using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace SnapshotApi.Configuration;

[Description(
    "For `scripts/faults` only, which makes the service die, hang or fail at exact instants. Never set them in "
    + "service.")]
internal sealed class FaultsOptions : IValidatableObject
{
    public const string Section = "Faults";

    [Description("Where faults of this service are ordered, an absolute path.")]
    [RegularExpression("^/.*", ErrorMessage = "Faults:Directory must be an absolute path.")]
    public string? Directory { get; set; }

    // A path alone must not make a service dangerous.
    [Description("Without it `Faults__Directory` is refused.")]
    public bool Armed { get; set; }

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (Armed && Directory is null)
        {
            yield return new ValidationResult("Faults:Armed=true needs Faults:Directory.");
        }

        if (Directory is not null && !Armed)
        {
            yield return new ValidationResult(
                "Faults:Directory lets this service die as ordered there: it is for tests, "
                + "and needs Faults:Armed=true.");
        }
    }
}

[OptionsValidator]
internal sealed partial class FaultsOptionsValidator : IValidateOptions<FaultsOptions>;
