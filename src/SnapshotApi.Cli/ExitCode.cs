namespace SnapshotApi.Cli;

/// <summary>Exit status of the process; <c>--help</c> documents the values, so they never change.</summary>
internal static class ExitCode
{
    public const int Ok = 0;
    public const int Failed = 1;
    public const int Usage = 2;
    public const int NotFound = 3;
    public const int Conflict = 4;
    public const int Unavailable = 5;
    public const int Cancelled = 6;
    public const int Denied = 7;

    // As in shells: 128 and the number of the signal.
    public const int Interrupted = 130;
    public const int Terminated = 143;

    /// <summary>Code and meaning, for the manual pages.</summary>
    public static readonly IReadOnlyList<(int Code, string Meaning)> All =
    [
        (Ok, "Done; with --poll or --wait: the job succeeded."),
        (Failed, "The job failed, a capture of the node is disabled or could not be checked, or a download is not the "
            + "image that the service recorded, or could not be written."),
        (Usage, "The command line is wrong, or the service refused the request as invalid or not supported."),
        (NotFound, "No such server, job, image or node."),
        (Conflict, "The server is busy, its name is ambiguous, the job is final, the node lives, or too much "
            + "was asked for."),
        (Unavailable, "The service could not be reached, did not answer in time, or is not able to serve."),
        (Cancelled, "The job was cancelled."),
        (Denied, "The service wants a key, does not know this one, or its owner may not do this."),
        (Interrupted, "Interrupted (Ctrl-C). A job that was being watched goes on."),
        (Terminated, "Ended by SIGTERM. A job that was being watched goes on."),
    ];
}
