using System.Text.Json;
using System.Text.Json.Serialization;

namespace SnapshotApi.Persistence;

/// <summary>Status of a job.</summary>
[JsonConverter(typeof(JobStatusConverter))]
internal enum JobStatus
{
    /// <summary>Waits for its node.</summary>
    Queued,

    /// <summary>A worker holds its lease.</summary>
    Running,

    /// <summary>The images are in the store and proven. Final.</summary>
    Succeeded,

    /// <summary>It ended with an error; no image was published. Final.</summary>
    Failed,

    /// <summary>Its user cancelled it. Final.</summary>
    Cancelled,
}

/// <summary>Writes <see cref="JobStatus"/> in snake_case, the form of the HTTP contract and of the job row.</summary>
internal sealed class JobStatusConverter()
    : JsonStringEnumConverter<JobStatus>(JsonNamingPolicy.SnakeCaseLower, allowIntegerValues: false);
