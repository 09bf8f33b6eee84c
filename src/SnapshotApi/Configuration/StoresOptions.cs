using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace SnapshotApi.Configuration;

/// <summary>Section <c>Stores</c>: where images go.</summary>
internal sealed class StoresOptions : IValidatableObject
{
    /// <summary>Name of the section.</summary>
    public const string Section = "Stores";

    /// <summary>Store of a request that names none.</summary>
    /// <value><c>directory</c> (default) or <c>glance</c>.</value>
    [Required]
    [AllowedValues("directory", "glance", ErrorMessage = "Stores:Default must be 'directory' or 'glance'.")]
    public string Default { get; set; } = "directory";

    /// <summary>Section <c>Stores:Directory</c>.</summary>
    [Required]
    [ValidateObjectMembers]
    public DirectoryStoreOptions Directory { get; set; } = new();

    /// <summary>Section <c>Stores:Glance</c>.</summary>
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
    /// <summary>Where the images are.</summary>
    /// <value>An absolute path. Default <c>/var/lib/snapshotapi/images</c>.</value>
    [Required]
    [RegularExpression("^/[^\\0\\n]{0,3000}$", ErrorMessage = "Stores:Directory:Path must be an absolute path.")]
    public string Path { get; set; } = "/var/lib/snapshotapi/images";

    /// <summary>How many jobs of a node may use it at once; others wait before their guest is touched.</summary>
    /// <value>1 to 64; null (default): as many as the node runs.</value>
    [Range(1, 64, ErrorMessage = "Stores:Directory:MaxJobs must be 1 to 64.")]
    public int? MaxJobs { get; set; }
}

/// <summary>Checks <see cref="StoresOptions"/> at start; all errors at once.</summary>
[OptionsValidator]
internal sealed partial class StoresOptionsValidator : IValidateOptions<StoresOptions>;

/// <summary>Section <c>Stores:Glance</c>: images in OpenStack's image service. There is such a store when it has an endpoint.</summary>
internal sealed class GlanceStoreOptions : IValidatableObject
{
    /// <summary>Where Glance is, with or without the <c>/v2</c>; https, or http in a trusted network.</summary>
    /// <value>Default empty: no such store.</value>
    public string Endpoint { get; set; } = string.Empty;

    /// <summary>A token that is sent as it is, where no Keystone is to be asked.</summary>
    /// <value>Default empty: none, or Keystone's.</value>
    public string Token { get; set; } = string.Empty;

    /// <summary>File that holds the token; read again when it is refused, so that it can be replaced.</summary>
    public string TokenFile { get; set; } = string.Empty;

    /// <summary>Digest that Glance computes: its option <c>hashing_algorithm</c>. Two digests of one stream would cost more than the copy.</summary>
    /// <value><c>sha512</c> (default, as Glance's) or <c>sha256</c>. When Glance reports the other, the upload is done again with that.</value>
    [AllowedValues("sha256", "sha512", ErrorMessage = "Stores:Glance:HashAlgorithm must be 'sha512' or 'sha256'.")]
    public string HashAlgorithm { get; set; } = "sha512";

    /// <summary>How many jobs of a node may use it at once; others wait before their guest is touched.</summary>
    /// <value>1 to 64; null (default): as many as the node runs.</value>
    [Range(1, 64, ErrorMessage = "Stores:Glance:MaxJobs must be 1 to 64.")]
    public int? MaxJobs { get; set; }

    /// <summary>Section <c>Stores:Glance:Keystone</c>.</summary>
    [Required]
    [ValidateObjectMembers]
    public KeystoneOptions Keystone { get; set; } = new("Stores:Glance:Keystone");

    /// <summary>There is such a store.</summary>
    public bool IsConfigured() => Endpoint.Length > 0;

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (IsConfigured() && !WebAddress.IsOne(Endpoint))
        {
            yield return new ValidationResult("Stores:Glance:Endpoint must be an http or https address without user, query and fragment.");
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
