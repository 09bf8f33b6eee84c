using System.Text.Json;
using System.Text.Json.Serialization;

namespace SnapshotApi.Snapshots;

/// <summary>Where a job is. Steps come in this order; a capture leaves out those that it does not need.</summary>
[JsonConverter(typeof(SnapshotStepConverter))]
internal enum SnapshotStep
{
    /// <summary>Not begun.</summary>
    Pending,

    /// <summary>Server is described anew and the plan made.</summary>
    Planning,

    /// <summary>Guest memory is saved (cold).</summary>
    Saving,

    /// <summary>Top layer is cloned or copied (cold).</summary>
    Cloning,

    /// <summary>Guest is started again (cold).</summary>
    Resuming,

    /// <summary>Block job copies the disk (mirror).</summary>
    Mirroring,

    /// <summary>Backup job is begun (backup).</summary>
    BackupBeginning,

    /// <summary>The image's length is computed from the disk's allocation.</summary>
    Measuring,

    /// <summary>What a store needs to know before the first byte is found out: the image is made in the node's spool, or the disk is scanned for zeros.</summary>
    Preparing,

    /// <summary>The image is streamed into the store.</summary>
    Uploading,

    /// <summary>Digest and size are compared, the image gets its name.</summary>
    Publishing,

    /// <summary>What was made on the host is taken away.</summary>
    CleaningUp,

    /// <summary>The job is final.</summary>
    Finished,
}

/// <summary>Writes <see cref="SnapshotStep"/> in snake_case, the form of the HTTP contract and of the job row.</summary>
internal sealed class SnapshotStepConverter()
    : JsonStringEnumConverter<SnapshotStep>(JsonNamingPolicy.SnakeCaseLower, allowIntegerValues: false);
