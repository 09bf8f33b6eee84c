using System.Reflection;
using System.Text.Json.Serialization;

namespace SnapshotApi.Journal;

/// <summary>
/// What must be undone on this host, written before the call that it undoes. Each is idempotent, is checked against the live
/// guest before anything is done, and touches only what is ours.
/// </summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "action")]
[JsonDerivedType(typeof(ResumeServer), "resume")]
[JsonDerivedType(typeof(UnpauseServer), "unpause")]
[JsonDerivedType(typeof(RedefineServer), "redefine")]
[JsonDerivedType(typeof(ThawServer), "thaw")]
[JsonDerivedType(typeof(AbortBlockJob), "abort-block-job")]
[JsonDerivedType(typeof(EndBackup), "end-backup")]
[JsonDerivedType(typeof(DeleteFile), "delete-file")]
[JsonDerivedType(typeof(EndProcess), "end-process")]
[JsonDerivedType(typeof(RemoveInternalSnapshot), "remove-internal-snapshot")]
[JsonDerivedType(typeof(DeleteImage), "delete-remote-image")]
internal abstract record UndoAction
{
    private static readonly Dictionary<Type, string> Names = typeof(UndoAction)
        .GetCustomAttributes<JsonDerivedTypeAttribute>()
        .ToDictionary(a => a.DerivedType, a => (string)a.TypeDiscriminator!);

    /// <summary>How the journal calls it.</summary>
    [JsonIgnore]
    public string Name => Names[GetType()];
}

/// <summary>
/// Start the server from the managed save image that a cold capture made. It runs or is paused then as it was when it was saved: libvirt
/// keeps that in the image, and knows better than a plan made before somebody paused it, or let it run.
/// </summary>
/// <param name="ServerId">UUID of the server.</param>
internal sealed record ResumeServer(Guid ServerId) : UndoAction;

/// <summary>Let the CPUs of a server run again that we paused around the end of several mirrors.</summary>
internal sealed record UnpauseServer(Guid ServerId) : UndoAction;

/// <summary>Define the server again from the XML that was taken before it was made transient.</summary>
/// <param name="ServerId">UUID of the server.</param>
/// <param name="Xml">Inactive, security-sensitive XML, byte for byte; may hold secrets, so the journal is readable by root only.</param>
internal sealed record RedefineServer(Guid ServerId, string Xml) : UndoAction;

/// <summary>Thaw the file systems of the guest.</summary>
internal sealed record ThawServer(Guid ServerId) : UndoAction;

/// <summary>Abort, without pivot, the block job on that disk if its destination is ours.</summary>
internal sealed record AbortBlockJob(Guid ServerId, string Target, string DestinationPath) : UndoAction;

/// <summary>End the backup job if its socket is ours.</summary>
internal sealed record EndBackup(Guid ServerId, string SocketPath) : UndoAction;

/// <summary>Delete a file or an empty directory under the node's work directory or in a directory store.</summary>
internal sealed record DeleteFile(string Path) : UndoAction;

/// <summary>End the qemu-nbd that listens on that socket, or the qemu-img that writes that file, and delete it.</summary>
/// <param name="SocketPath">Path that holds the job's or the image's id: no other process has it among its arguments.</param>
internal sealed record EndProcess(string SocketPath) : UndoAction;

/// <summary>Delete an internal snapshot of a qcow2 file.</summary>
internal sealed record RemoveInternalSnapshot(Guid ServerId, string Target, string SnapshotName) : UndoAction;

/// <summary>Delete an unpublished image from a store.</summary>
/// <param name="Store">Name of the store.</param>
/// <param name="ImageId">Id of the image in it.</param>
internal sealed record DeleteImage(string Store, Guid ImageId) : UndoAction;
