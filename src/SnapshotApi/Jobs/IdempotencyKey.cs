namespace SnapshotApi.Jobs;

/// <summary>An Idempotency-Key as it came with a request.</summary>
/// <param name="Key">The key; the caller makes it unique per user.</param>
/// <param name="BodyHash">Digest of the body.</param>
internal sealed record IdempotencyKey(string Key, byte[] BodyHash);
