namespace SnapshotApi.Images;

/// <summary>Digest of an image file.</summary>
/// <param name="Algorithm">Lower-case name: <c>sha256</c>, <c>sha512</c>.</param>
/// <param name="Value">Lower-case hexadecimal.</param>
internal sealed record Digest(string Algorithm, string Value);
