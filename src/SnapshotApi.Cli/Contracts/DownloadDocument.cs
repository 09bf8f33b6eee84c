namespace SnapshotApi.Cli.Contracts;

/// <summary>What <c>image download --json</c> answers.</summary>
/// <param name="ImageId">The image.</param>
/// <param name="File">Where it is now, an absolute path.</param>
/// <param name="SizeBytes">Length of the file.</param>
/// <param name="ResumedAtBytes">How much of it an earlier run had fetched.</param>
/// <param name="Digest">Digest of the file, equal to the recorded one.</param>
internal sealed record DownloadDocument(string ImageId, string File, long SizeBytes, long ResumedAtBytes, DigestDocument Digest);
