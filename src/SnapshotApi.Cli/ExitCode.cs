namespace SnapshotApi.Cli;

/// <summary>Exit status of the process; <c>--help</c> documents the values, so they never change.</summary>
internal static class ExitCode
{
    /// <summary>Done.</summary>
    public const int Ok = 0;

    /// <summary>The job failed, or a downloaded file is not the image or could not be written.</summary>
    public const int Failed = 1;

    /// <summary>The command line, or the request made of it, is not valid.</summary>
    public const int Usage = 2;

    /// <summary>There is no such server, job or image.</summary>
    public const int NotFound = 3;

    /// <summary>Not possible now: server busy, name ambiguous, job already final, too many requests.</summary>
    public const int Conflict = 4;

    /// <summary>The service does not answer, or is not able to serve.</summary>
    public const int Unavailable = 5;

    /// <summary>The job was cancelled.</summary>
    public const int Cancelled = 6;

    /// <summary>The service does not know the key, or its owner may not do this.</summary>
    public const int Denied = 7;

    /// <summary>Interrupted by SIGINT: 128 and the number of the signal, as in shells.</summary>
    public const int Interrupted = 130;

    /// <summary>Ended by SIGTERM.</summary>
    public const int Terminated = 143;

    /// <summary>Code and meaning, for the manual pages.</summary>
    public static readonly IReadOnlyList<(int Code, string Meaning)> All =
    [
        (Ok, "Done; with --poll or --wait: the job succeeded."),
        (Failed, "The job failed, or a download is not the image that the service recorded, or could not be written."),
        (Usage, "The command line is wrong, or the service refused the request as invalid or not supported."),
        (NotFound, "No such server, job or image."),
        (Conflict, "The server is busy, its name is ambiguous, the job is already final, or too much was asked for."),
        (Unavailable, "The service could not be reached, did not answer in time, or is not able to serve."),
        (Cancelled, "The job was cancelled."),
        (Denied, "The service wants a key, does not know this one, or its owner may not do this."),
        (Interrupted, "Interrupted (Ctrl-C). A job that was being watched goes on."),
        (Terminated, "Ended by SIGTERM. A job that was being watched goes on."),
    ];
}
