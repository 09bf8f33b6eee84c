namespace SnapshotApi.Api.Access;

/// <summary>What of access is logged; which key or token was shown never is.</summary>
internal sealed partial class AccessLog(ILogger<AccessLog> logger)
{
    /// <summary>The log of the service that serves a request.</summary>
    public static AccessLog Of(HttpContext context) => context.RequestServices.GetRequiredService<AccessLog>();

    /// <summary>The provider of tokens could not be asked for its keys.</summary>
    [LoggerMessage(1010, LogLevel.Warning, "The provider of tokens does not answer")]
    public partial void ProviderAway(Exception exception);

    /// <summary>A caller was turned away; from where he came is what a guard of the network can act on.</summary>
    public void TurnedAway(HttpContext context, string code, string reason)
    {
        string caller = Caller.NameOf(context.User);
        string address = context.Connection.RemoteIpAddress?.ToString() ?? "-";
        LogTurnedAway(caller, address, code, reason);
    }

    /// <summary>Keys will come over the network in readable form.</summary>
    [LoggerMessage(1012, LogLevel.Warning, "Listening at {Url} without TLS: whoever is on the way can read the keys")]
    public partial void NoTls(string url);

    [LoggerMessage(1011, LogLevel.Information, "{Caller} at {Address} was turned away: {Code}: {Reason}")]
    private partial void LogTurnedAway(string caller, string address, string code, string reason);
}
