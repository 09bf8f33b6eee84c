using Microsoft.Extensions.Options;

namespace SnapshotApi.Configuration;

/// <summary>Checks <see cref="StoresOptions"/> at start; all errors at once.</summary>
[OptionsValidator]
internal sealed partial class StoresOptionsValidator : IValidateOptions<StoresOptions>;
