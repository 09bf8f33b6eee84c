namespace SnapshotApi.Api.Contracts;

/// <summary>Digest of an image file.</summary>
/// <param name="Algorithm">Lower-case name, for example <c>sha256</c>.</param>
/// <param name="Value">Lower-case hexadecimal.</param>
internal sealed record ImageDigest(string Algorithm, string Value);
