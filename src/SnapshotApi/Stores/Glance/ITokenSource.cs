namespace SnapshotApi.Stores.Glance;

/// <summary>Where the token comes from that tells Glance who we are. Thread-safe.</summary>
internal interface ITokenSource
{
    /// <summary>The token to send now; null to send none.</summary>
    /// <exception cref="SnapshotApi.Errors.SnapshotException">store_failed, timed_out: there is none to be had.</exception>
    Task<string?> GetAsync(CancellationToken cancellationToken);

    /// <summary>Glance has refused a token (401).</summary>
    /// <returns>Another one may be had: ask again, once.</returns>
    bool Refuse(string? token);
}
