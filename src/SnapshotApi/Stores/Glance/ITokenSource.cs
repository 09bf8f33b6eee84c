namespace SnapshotApi.Stores.Glance;

/// <summary>Where the token comes from that tells Glance who we are. Thread-safe.</summary>
internal interface ITokenSource
{
    /// <summary>The token to send now; null to send none.</summary>
    /// <exception cref="SnapshotApi.Errors.SnapshotException">store_failed, timed_out: there is none.</exception>
    Task<string?> GetAsync(CancellationToken cancellationToken);

    /// <summary>Glance has refused a token (401).</summary>
    /// <returns>Another one may be had: ask again, once.</returns>
    bool Refuse(string? token);
}

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
            throw new SnapshotException(
                SnapshotErrorCode.StoreFailed, "the file with the token for the image store can't be read", e);
        }
    }
}
