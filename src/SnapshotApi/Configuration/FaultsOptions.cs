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
