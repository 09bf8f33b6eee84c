using Microsoft.Extensions.Options;

namespace SnapshotApi.Configuration;

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
