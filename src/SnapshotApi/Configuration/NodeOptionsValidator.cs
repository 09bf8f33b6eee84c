using Microsoft.Extensions.Options;

namespace SnapshotApi.Configuration;

/// <summary>Checks <see cref="NodeOptions"/> at start; all errors at once.</summary>
[OptionsValidator]
internal sealed partial class NodeOptionsValidator : IValidateOptions<NodeOptions>;
