namespace SnapshotApi.Api.Contracts;

/// <summary>
/// How far a job is. A copy that precedes the images, making an image and sending it are phases: bytes are those of the phase at work,
/// percent is of all phases.
/// </summary>
/// <param name="Percent">0 to 100; never falls while one worker runs the job; 100 only when the job has succeeded.</param>
/// <param name="BytesDone">Bytes done in this phase. They begin anew with each phase.</param>
/// <param name="BytesTotal">
/// Bytes of this phase, holes left out; of a raw image all bytes of the disk, since its zeros have to be hashed. Null before they are known.
/// </param>
/// <param name="BytesPerSecond">Rate of those bytes over the last seconds; null when nothing moves.</param>
/// <param name="SecondsLeft">Time left for all phases at that rate; null in steps that move no bytes, and when it can't be told.</param>
internal sealed record Progress(int Percent, long BytesDone, long? BytesTotal, long? BytesPerSecond, long? SecondsLeft);
