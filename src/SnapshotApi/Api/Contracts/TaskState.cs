using System.Text.Json;
using System.Text.Json.Serialization;

namespace SnapshotApi.Api.Contracts;

/// <summary>Task state of a snapshot, in OpenStack Nova's words.</summary>
[JsonConverter(typeof(TaskStateConverter))]
internal enum TaskState
{
    /// <summary>Waits for its node, or is being planned.</summary>
    ImageSnapshotPending,

    /// <summary>The capture makes the disks readable.</summary>
    ImageSnapshot,

    /// <summary>The image is about to be sent.</summary>
    ImagePendingUpload,

    /// <summary>The image is on its way into the store.</summary>
    ImageUploading,
}

/// <summary>Writes <see cref="TaskState"/> as Nova spells it.</summary>
internal sealed class TaskStateConverter()
    : JsonStringEnumConverter<TaskState>(JsonNamingPolicy.SnakeCaseLower, allowIntegerValues: false);
