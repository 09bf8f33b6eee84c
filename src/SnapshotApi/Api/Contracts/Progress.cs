namespace SnapshotApi.Api.Contracts;

/// <summary>How far a job is. Percent is the bytes done of those in all, and never falls while one worker runs the job.</summary>
/// <param name="Percent">0 to 100; 100 only when the job has succeeded.</param>
/// <param name="BytesDone">
/// Bytes handled so far. What has to be copied before the image is sent counts, too; it is counted in parts of the whole disk until
/// it is known how much of the disk is empty.
/// </param>
/// <param name="BytesTotal">
/// Bytes to be handled in all; null before they are known. It becomes smaller when it turns out how much of a disk is empty.
/// </param>
/// <param name="BytesPerSecond">Rate over the last seconds; null when nothing moves.</param>
/// <param name="SecondsLeft">Time left at that rate; null in steps that move no bytes, and when it can't be told.</param>
internal sealed record Progress(int Percent, long BytesDone, long? BytesTotal, long? BytesPerSecond, long? SecondsLeft);
