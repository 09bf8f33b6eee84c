using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace SnapshotApi.Configuration;

/// <summary>Section <c>RateLimit</c>: how many snapshots one caller may ask for; each process counts for itself.</summary>
internal sealed class RateLimitOptions
{
    /// <summary>Name of the section.</summary>
    public const string Section = "RateLimit";

    /// <summary>How many requests for snapshots a caller may make a minute, in the long run.</summary>
    /// <value>
    /// 0 to 60000; 0: no limit. Default 600: no backup plan comes near it, while a script gone mad leaves the database and the nodes,
    /// which look at the server for each request, to others.
    /// </value>
    [Range(0, 60000)]
    public int SnapshotsPerMinute { get; set; } = 600;

    /// <summary>How many requests may come at once.</summary>
    /// <value>1 to 100000. Default 1000: a nightly plan asks for all of its servers at the same minute.</value>
    [Range(1, 100000)]
    public int SnapshotBurst { get; set; } = 1000;
}

/// <summary>Checks <see cref="RateLimitOptions"/> at start; all errors at once.</summary>
[OptionsValidator]
internal sealed partial class RateLimitOptionsValidator : IValidateOptions<RateLimitOptions>;
