using SnapshotApi.Configuration;
using SnapshotApi.Errors;

namespace SnapshotApi.Stores.Glance;

/// <summary>No token, or one that was configured; one in a file may be replaced while the service runs.</summary>
internal sealed class FixedTokenSource(GlanceStoreOptions options) : ITokenSource
{
    public Task<string?> GetAsync(CancellationToken cancellationToken) => Task.FromResult(Read());

    public bool Refuse(string? token) => options.TokenFile.Length > 0 && Read() != token;

    private string? Read()
    {
        try
        {
            return Secret.Read(options.Token, options.TokenFile);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new SnapshotException(SnapshotErrorCode.StoreFailed, "the file with the token for the image store can't be read", e);
        }
    }
}
