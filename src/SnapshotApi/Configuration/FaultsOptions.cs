using Microsoft.Extensions.Options;

namespace SnapshotApi.Configuration;

/// <summary>Section <c>Faults</c>: for <c>scripts/faults</c>, which lets the service die, hang or fail at exact instants. Never in service.</summary>
internal sealed class FaultsOptions
{
    /// <summary>Name of the section.</summary>
    public const string Section = "Faults";

    /// <summary>Where faults are ordered.</summary>
    /// <value>An absolute path. Default: none, and then nothing ever happens.</value>
    public string? Directory { get; set; }

    /// <summary>The switch without which the directory is refused: a path alone must not make a service dangerous.</summary>
    /// <value>Default false.</value>
    public bool Armed { get; set; }
}

/// <summary>Checks <see cref="FaultsOptions"/> at start.</summary>
internal sealed class FaultsOptionsValidator : IValidateOptions<FaultsOptions>
{
    public ValidateOptionsResult Validate(string? name, FaultsOptions options) => options switch
    {
        { Directory: not null, Armed: false } => ValidateOptionsResult.Fail(
            "Faults:Directory would let this service die as ordered there: that is for tests, and needs Faults:Armed=true."),
        { Directory: null, Armed: true } => ValidateOptionsResult.Fail("Faults:Armed=true needs Faults:Directory."),
        { Directory: { } path } when !Path.IsPathRooted(path) => ValidateOptionsResult.Fail("Faults:Directory must be an absolute path."),
        _ => ValidateOptionsResult.Success,
    };
}
