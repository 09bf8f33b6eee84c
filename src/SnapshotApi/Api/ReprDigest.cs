using SnapshotApi.Images;

namespace SnapshotApi.Api;

/// <summary>Digest of a file in the form of RFC 9530.</summary>
internal static class ReprDigest
{
    /// <summary>Value of the header Repr-Digest; null for an algorithm that the RFC does not have.</summary>
    public static string? Of(Digest digest)
    {
        string? algorithm = digest.Algorithm switch
        {
            "sha256" => "sha-256",
            "sha512" => "sha-512",
            _ => null,
        };
        return algorithm is null ? null : $"{algorithm}=:{Convert.ToBase64String(Convert.FromHexString(digest.Value))}:";
    }
}
