using System.Text.Json;

namespace SnapshotApi.Errors;

/// <summary>
/// A failure with a stable code. The message is a lower-case fact for the API's user: it holds no host path and no secret;
/// those belong to the log, by way of <see cref="Exception.InnerException"/>.
/// </summary>
internal sealed class SnapshotException(SnapshotErrorCode code, string message, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>What went wrong, from the closed list.</summary>
    public SnapshotErrorCode Code { get; } = code;

    /// <summary>The same may succeed when it is tried again, as far as can be told: a server that was restarted, a connection that was cut.</summary>
    public bool IsTransient { get; init; }

    /// <summary>The host does not let QEMU do what this capture needs; nothing was begun, and another capture may be possible.</summary>
    public bool IsCaptureDenied { get; init; }

    /// <summary>More members for the problem document, for example <c>serverIds</c> or <c>job</c>; empty by default.</summary>
    public IReadOnlyDictionary<string, object?> Details { get; init; } = new Dictionary<string, object?>();

    /// <summary>The snake_case form of a code, as it stands in JSON and in the job row.</summary>
    public static string NameOf(SnapshotErrorCode code) => JsonNamingPolicy.SnakeCaseLower.ConvertName(code.ToString());
}
