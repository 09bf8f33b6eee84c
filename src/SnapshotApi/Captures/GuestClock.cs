using SnapshotApi.Hypervisor;

namespace SnapshotApi.Captures;

/// <summary>Sets the clock of a guest that was saved, or warns by how much it is behind.</summary>
internal sealed partial class GuestClock(
    IHypervisor hypervisor, IOptions<NodeOptions> options, TimeProvider time, ILogger<GuestClock> logger)
{
    // An agent is reachable within a second of the start, later on a host under load.
    private static readonly TimeSpan AgentTimeout = TimeSpan.FromSeconds(10);

    // Where nobody waits for it.
    private static readonly TimeSpan LongAgentTimeout = TimeSpan.FromMinutes(2);

    // A thaw comes first: the guest may be waiting for it, and the agent does one thing at a time.
    private static readonly TimeSpan LaterDelay = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan AgentPollInterval = TimeSpan.FromMilliseconds(200);

    // What a command takes to reach the agent.
    private static readonly TimeSpan Tolerance = TimeSpan.FromSeconds(2);

    /// <summary>Sets the clock; never throws. To be run beside whatever else is done.</summary>
    /// <param name="found">The server before it was saved.</param>
    /// <param name="stood">How long it did not execute.</param>
    /// <param name="observer">Warned when the clock stays behind.</param>
    public async Task SetAsync(
        ServerDescription found, TimeSpan stood, ICaptureObserver observer, CancellationToken cancellationToken)
    {
        if (found.PowerState != ServerPowerState.Running)
        {
            // A paused guest's clock stands anyway.
            return;
        }

        string? why = await TrySetAsync(found, AgentTimeout, cancellationToken).ConfigureAwait(false);
        if (why is not null)
        {
            observer.Warn($"the clock of the guest is {stood.TotalSeconds:0.0} s behind, as long as it stood: {why}");
        }
    }

    /// <summary>Sets the clock of a guest whose capture did not finish, later, beside whatever comes next.</summary>
    /// <param name="stood">The server while it stood.</param>
    public void SetLater(ServerDescription stood) => _ = SetOrLogAsync(stood);

    private async Task SetOrLogAsync(ServerDescription stood)
    {
        try
        {
            await Task.Delay(LaterDelay, time).ConfigureAwait(false);
            ServerDescription? now = await hypervisor.PeekAsync(stood.Id, CancellationToken.None).ConfigureAwait(false);
            if (now is { PowerState: ServerPowerState.Running })
            {
                string? why = await TrySetAsync(now, LongAgentTimeout, CancellationToken.None).ConfigureAwait(false);
                if (why is not null)
                {
                    LogBehind(stood.Id, why);
                }
            }
        }
        catch (Exception e) when (e is SnapshotException or ObjectDisposedException)
        {
            // libvirt is away, or the service ends.
            LogBehind(stood.Id, e.Message);
        }
    }

    private async Task<string?> TrySetAsync(
        ServerDescription found, TimeSpan patience, CancellationToken cancellationToken)
    {
        if (!found.HasAgentChannel)
        {
            return "it has no guest agent that could set it";
        }

        try
        {
            if (!await IsConnectedAsync(found, patience, cancellationToken).ConfigureAwait(false))
            {
                return "the guest agent is not connected";
            }

            TimeSpan behind = await hypervisor.SetClockAsync(found.Id, options.Value.FreezeTimeout, cancellationToken)
                .ConfigureAwait(false);
            return behind.Duration() <= Tolerance ? null : "the guest agent did not set it";
        }
        catch (SnapshotException e)
        {
            return e.Message;
        }
        catch (OperationCanceledException)
        {
            return "it could not be set before the snapshot ended";
        }
    }

    private async Task<bool> IsConnectedAsync(
        ServerDescription found, TimeSpan patience, CancellationToken cancellationToken)
    {
        long start = time.GetTimestamp();
        while (await hypervisor.PeekAsync(found.Id, cancellationToken).ConfigureAwait(false)
            is { IsActive: true } now)
        {
            if (now.AgentConnected || time.GetElapsedTime(start) > patience)
            {
                return now.AgentConnected;
            }

            await Task.Delay(AgentPollInterval, time, cancellationToken).ConfigureAwait(false);
        }

        return false;
    }

    [LoggerMessage(EventId = 4110, Level = LogLevel.Warning,
        Message = "The clock of server {ServerId} is behind by the time for which it stood: {Why}")]
    private partial void LogBehind(Guid serverId, string why);
}
