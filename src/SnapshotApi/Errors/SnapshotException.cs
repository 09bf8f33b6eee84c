namespace SnapshotApi.Errors;

/// <summary>
/// A failure with a stable code. The message is a lower-case fact for the API's user, without host paths and secrets:
/// those belong to the log, by way of <see cref="Exception.InnerException"/>.
/// </summary>
internal sealed class SnapshotException(SnapshotErrorCode code, string message, Exception? inner = null)
    : Exception(message, inner)
{
    public SnapshotErrorCode Code { get; } = code;

    /// <summary>The same may succeed later: a server was restarted, a connection was cut.</summary>
    public bool IsTransient { get; init; }

    /// <summary>It fails until somebody has seen to it: waiting does not help.</summary>
    public bool IsLasting { get; init; }

    /// <summary>The host denies QEMU what this capture needs. Nothing was begun; another capture may work.</summary>
    public bool IsCaptureDenied { get; init; }

    /// <summary>More members of the problem document, for example <c>serverIds</c> or <c>job</c>.</summary>
    public IReadOnlyDictionary<string, object?> Details { get; init; } = new Dictionary<string, object?>();
}

/// <summary>
/// What the service needs of its host is not as it must be, and waiting does not help. The message is for the operator
/// alone, and says the cure; the process ends with it.
/// </summary>
internal class SetupException(string message, Exception? inner = null) : Exception(message, inner);
