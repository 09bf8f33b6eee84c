namespace SnapshotApi.Api.Contracts;

/// <summary>One drive of a server.</summary>
/// <param name="Target">Device name in the guest, for example <c>vda</c>: the word for <c>disks</c> in a request.</param>
/// <param name="Device"><c>disk</c>, <c>lun</c>, <c>cdrom</c> or <c>floppy</c>.</param>
/// <param name="SourceType"><c>file</c>, <c>block</c>, <c>network</c>, <c>volume</c>.</param>
/// <param name="Format">Format of its top layer; null when the definition names none.</param>
/// <param name="Layers">How many layers its chain has; 0 for an empty drive.</param>
/// <param name="IsReadOnly">The guest can't write to it.</param>
/// <param name="IsShareable">Other servers may write to it at the same time.</param>
/// <param name="IsTransient">Its changes are thrown away at shutdown.</param>
/// <param name="IsEncrypted">It, or a layer of it, is encrypted.</param>
/// <param name="BootOrder">Lowest boots first; null when not given per drive.</param>
internal sealed record ServerDisk(
    string Target,
    string Device,
    string SourceType,
    string? Format,
    int Layers,
    bool IsReadOnly,
    bool IsShareable,
    bool IsTransient,
    bool IsEncrypted,
    int? BootOrder);
