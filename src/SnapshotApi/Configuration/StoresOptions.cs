using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace SnapshotApi.Configuration;

[Description("Where images go.")]
internal sealed class StoresOptions : IValidatableObject
{
    public const string Section = "Stores";

    [Description("Store of a request that names none.")]
    [Required]
    [AllowedValues("directory", "glance", ErrorMessage = "Stores:Default must be 'directory' or 'glance'.")]
    public string Default { get; set; } = "directory";

    [Required]
    [ValidateObjectMembers]
    public DirectoryStoreOptions Directory { get; set; } = new();

    [Required]
    [ValidateObjectMembers]
    public GlanceStoreOptions Glance { get; set; } = new();

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (Default == "glance" && !Glance.IsConfigured())
        {
            yield return new ValidationResult("Stores:Default is 'glance', but Stores:Glance:Endpoint is not set.");
        }
    }
}

/// <summary>Section <c>Stores:Directory</c>: images as files.</summary>
internal sealed class DirectoryStoreOptions
{
    [Description("The directory store, an absolute path.")]
    [Required]
    [RegularExpression("^/[^\\0\\n]{0,3000}$", ErrorMessage = "Stores:Directory:Path must be an absolute path.")]
    public string Path { get; set; } = "/var/lib/snapshotapi/images";

    [Description(
        "How many jobs of a node may use the directory store at once; others wait before their guest is touched.")]
    [DefaultText("no limit")]
    [Range(1, 64)]
    public int? MaxJobs { get; set; }
}

[OptionsValidator]
internal sealed partial class StoresOptionsValidator : IValidateOptions<StoresOptions>;

/// <summary>Section <c>Stores:Glance</c>: images in OpenStack's image service.</summary>
internal sealed class GlanceStoreOptions : IValidatableObject
{
    [Description(
        "Address of OpenStack's image service, with or without `/v2`, for example `https://glance.example:9292`. "
        + "There is a store `glance` when it is set: see [OpenStack](openstack.md#glance).")]
    public string Endpoint { get; set; } = string.Empty;

    [Description("A token that is sent to Glance as it is, where no Keystone is asked.")]
    public string Token { get; set; } = string.Empty;

    [Description("A file with that token; read again when Glance refuses the token.")]
    public string TokenFile { get; set; } = string.Empty;

    // Two digests of one stream would cost more than the copy.
    [Description(
        "Digest that Glance computes, its option `hashing_algorithm`. When Glance reports the other one, the upload "
        + "is done again with that.")]
    [AllowedValues("sha512", "sha256", ErrorMessage = "Stores:Glance:HashAlgorithm must be 'sha512' or 'sha256'.")]
    public string HashAlgorithm { get; set; } = "sha512";

    [Description("How many jobs of a node may use Glance at once; others wait before their guest is touched.")]
    [DefaultText("no limit")]
    [Range(1, 64)]
    public int? MaxJobs { get; set; }

    [Required]
    [ValidateObjectMembers]
    public KeystoneOptions Keystone { get; set; } = new("Stores:Glance:Keystone");

    public bool IsConfigured() => Endpoint.Length > 0;

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (IsConfigured() && !WebAddress.IsOne(Endpoint))
        {
            yield return new ValidationResult($"Stores:Glance:Endpoint {WebAddress.Rule}");
        }

        if (Secret.Problem("Stores:Glance:Token", Token, TokenFile) is { } problem)
        {
            yield return new ValidationResult(problem);
        }

        if (Secret.IsGiven(Token, TokenFile) && Keystone.IsConfigured())
        {
            yield return new ValidationResult("Stores:Glance has both a token and a Keystone; one is enough.");
        }
    }
}
