using System.Reflection;
using System.Text.Json.Serialization;

namespace SnapshotApi.Journal;

/// <summary>
/// What must be undone on this host, written before the call that it undoes. Each is idempotent, checks the live guest
/// first, and touches only what is ours.
/// </summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "action")]
[JsonDerivedType(typeof(ResumeServer), "resume")]
[JsonDerivedType(typeof(UnpauseServer), "unpause")]
[JsonDerivedType(typeof(RedefineServer), "redefine")]
[JsonDerivedType(typeof(ThawServer), "thaw")]
[JsonDerivedType(typeof(AbortBlockJob), "abort-block-job")]
[JsonDerivedType(typeof(EndBackup), "end-backup")]
[JsonDerivedType(typeof(ResumeAfterIoError), "resume-after-io-error")]
[JsonDerivedType(typeof(DeleteFile), "delete-file")]
[JsonDerivedType(typeof(EndProcess), "end-process")]
[JsonDerivedType(typeof(RemoveInternalSnapshot), "remove-internal-snapshot")]
[JsonDerivedType(typeof(DeleteImage), "delete-remote-image")]
[JsonDerivedType(typeof(RemoveCanary), "remove-canary")]
internal abstract record UndoAction
{
    private static readonly Dictionary<Type, string> Names = typeof(UndoAction)
        .GetCustomAttributes<JsonDerivedTypeAttribute>()
        .ToDictionary(a => a.DerivedType, a => (string)a.TypeDiscriminator!);

    /// <summary>The action's name in the journal.</summary>
    [JsonIgnore]
    public string Name => Names[GetType()];
}

/// <summary>An undo on a guest. It carries what was found, and restores that: no less, and no more.</summary>
/// <param name="ServerId">UUID of the server.</param>
internal abstract record GuestUndo(Guid ServerId) : UndoAction;

/// <summary>
/// Start the server from the managed save image that a cold capture made. The image says whether it runs then or is
/// paused, as it was found (<c>VIR_DOMAIN_SAVE_RUNNING</c>, <c>VIR_DOMAIN_SAVE_PAUSED</c>).
/// </summary>
internal sealed record ResumeServer(Guid ServerId) : GuestUndo(ServerId);

/// <summary>Let the CPUs of a server run again that we stopped. Written only for one that ran.</summary>
/// <param name="ServerId">UUID of the server.</param>
/// <param name="StoppedAt">When the guest's CPUs and clock stopped; null in the journal of an older version.</param>
internal sealed record UnpauseServer(Guid ServerId, DateTimeOffset? StoppedAt = null) : GuestUndo(ServerId);

/// <summary>Define the server again from the XML that was taken before it was made transient.</summary>
/// <param name="ServerId">UUID of the server.</param>
/// <param name="Xml">Inactive, security-sensitive XML, byte for byte; it may hold secrets.</param>
/// <param name="IsAutostart">The host starts it. That is not in the XML, and is lost with the definition.</param>
internal sealed record RedefineServer(Guid ServerId, string Xml, bool IsAutostart = false) : GuestUndo(ServerId);

/// <summary>Thaw the file systems of the guest. Written only for one that nobody had frozen.</summary>
internal sealed record ThawServer(Guid ServerId) : GuestUndo(ServerId);

/// <summary>Abort, without pivot, the block job on that disk if its destination is ours.</summary>
internal sealed record AbortBlockJob(Guid ServerId, string Target, string DestinationPath) : GuestUndo(ServerId);

/// <summary>
/// Resume a guest that QEMU paused because our scratch file was full. Written before <see cref="EndBackup"/>, so that
/// it is undone after it: QEMU then repeats the guest's write.
/// </summary>
/// <param name="ServerId">UUID of the server.</param>
/// <param name="WasPausedForIoError">An I/O error of its own had paused it before: then it stays paused.</param>
/// <param name="SocketPath">The backup's socket; null in journals of an older version.</param>
internal sealed record ResumeAfterIoError(Guid ServerId, bool WasPausedForIoError, string? SocketPath = null)
    : GuestUndo(ServerId);

/// <summary>End the backup job if its socket is ours.</summary>
internal sealed record EndBackup(Guid ServerId, string SocketPath) : GuestUndo(ServerId);

/// <summary>Delete a file or an empty directory under the node's work directory or in a directory store.</summary>
internal sealed record DeleteFile(string Path) : UndoAction;

/// <summary>End the qemu-nbd that listens on that socket, or the qemu-img that writes that file; delete it.</summary>
/// <param name="SocketPath">Holds the job's or the image's id: no other process has it among its arguments.</param>
internal sealed record EndProcess(string SocketPath) : UndoAction;

/// <summary>Delete an internal snapshot of a qcow2 file.</summary>
internal sealed record RemoveInternalSnapshot(Guid ServerId, string Target, string SnapshotName) : GuestUndo(ServerId);

/// <summary>End a throw-away guest of this node's, and remove all that libvirt keeps of it.</summary>
internal sealed record RemoveCanary(Guid ServerId) : GuestUndo(ServerId);

/// <summary>Delete an unpublished image from a store.</summary>
internal sealed record DeleteImage(string Store, Guid ImageId) : UndoAction;

/// <summary>The undo of a call, in the class that makes the call.</summary>
/// <typeparam name="T">The intent that it journals before the call.</typeparam>
internal interface IUndo<in T>
    where T : UndoAction
{
    /// <summary>Undoes one action; returns when nothing of it is left, also when there was nothing to do.</summary>
    /// <exception cref="SnapshotException">It can't be undone now; try again later.</exception>
    Task UndoAsync(T action, CancellationToken cancellationToken);
}

/// <summary>The undo of one type of action.</summary>
internal sealed record UndoHandler(Type Action, Func<UndoAction, CancellationToken, Task> UndoAsync)
{
    public static UndoHandler Of<T>(IUndo<T> owner)
        where T : UndoAction => new(typeof(T), (action, token) => owner.UndoAsync((T)action, token));
}

/// <summary>Carries out what a journal holds.</summary>
internal interface IUndoExecutor
{
    /// <inheritdoc cref="IUndo{T}.UndoAsync"/>
    Task UndoAsync(UndoAction action, CancellationToken cancellationToken);
}

/// <summary>An action that could not be undone yet.</summary>
internal sealed record UndoFailure(UndoAction Action, Exception Error);
