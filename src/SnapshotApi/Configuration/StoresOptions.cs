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
