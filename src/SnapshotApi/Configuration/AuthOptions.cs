namespace SnapshotApi.Configuration;

/// <summary>Section <c>Auth</c>: who may use the API.</summary>
internal sealed class AuthOptions
{
    /// <summary>Name of the section.</summary>
    public const string Section = "Auth";

    /// <summary>
    /// Whether the service may listen where other hosts reach it although it asks nobody who they are.
    /// </summary>
    /// <value>
    /// Default false: the service refuses to start then. Set true only where something in front of it decides who comes in, as a
    /// container whose port is published on the loopback address of its host.
    /// </value>
    public bool AllowAnonymousNetwork { get; set; }
}
