using SnapshotApi.Errors;
using SnapshotApi.Libvirt;

namespace SnapshotApi.Hypervisor;

/// <summary>Power and the guest agent.</summary>
internal sealed partial class LibvirtHypervisor
{
    private static readonly TimeSpan SavePollInterval = TimeSpan.FromMilliseconds(200);

    // The memory of a large guest takes minutes to save: a cancelled save is aborted, and its own end is waited for.
    public async Task ManagedSaveAsync(Guid serverId, CancellationToken cancellationToken)
    {
        Task<bool> save = OnDomainAsync(serverId, domain => domain.ManagedSave(), cancellationToken);
        await Task.WhenAny(save, Task.Delay(Timeout.InfiniteTimeSpan, _time, cancellationToken)).ConfigureAwait(false);
        if (!save.IsCompleted)
        {
            await ((Task)OnDomainAsync(serverId, domain => domain.AbortJob(), CancellationToken.None))
                .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await ((Task)save).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            cancellationToken.ThrowIfCancellationRequested();
        }

        await save.ConfigureAwait(false);
    }

    public Task<bool> HasManagedSaveAsync(Guid serverId, CancellationToken cancellationToken) =>
        OnDomainAsync(serverId, domain => domain.HasManagedSave, cancellationToken);

    // A save goes on in libvirtd when the client that asked for it is gone.
    public async Task WaitForSaveEndAsync(Guid serverId, CancellationToken cancellationToken)
    {
        while (await FindServerAsync(serverId, cancellationToken).ConfigureAwait(false) is { ActiveJob: DomainDescriber.SaveJob })
        {
            await Task.Delay(SavePollInterval, _time, cancellationToken).ConfigureAwait(false);
        }
    }

    public Task StartAsync(Guid serverId, CancellationToken cancellationToken) =>
        OnDomainAsync(serverId, domain => domain.Create(), cancellationToken);

    public Task SuspendAsync(Guid serverId, CancellationToken cancellationToken) =>
        OnDomainAsync(serverId, domain => domain.Suspend(), cancellationToken);

    public Task ResumeAsync(Guid serverId, CancellationToken cancellationToken) =>
        OnDomainAsync(serverId, domain => domain.Resume(), cancellationToken);

    public Task<bool> IsPausedForIoErrorAsync(Guid serverId, CancellationToken cancellationToken) => OnDomainAsync(
        serverId, domain => domain.GetState() == (DomainState.Paused, (int)DomainPausedReason.IoError), cancellationToken);

    public Task<int> FreezeAsync(Guid serverId, TimeSpan deadline, CancellationToken cancellationToken) =>
        AskAgentAsync(serverId, "freeze", domain => domain.FsFreeze(), deadline, cancellationToken);

    public Task<int> ThawAsync(Guid serverId, TimeSpan deadline, CancellationToken cancellationToken) =>
        AskAgentAsync(serverId, "thaw", domain => domain.FsThaw(), deadline, cancellationToken);

    // The thread is left behind at the deadline: libvirt waits for an agent as long as it takes.
    private async Task<int> AskAgentAsync(
        Guid serverId, string what, Func<LibvirtDomain, int> call, TimeSpan deadline, CancellationToken cancellationToken)
    {
        try
        {
            return await OnDomainAsync(serverId, call, cancellationToken).WaitAsync(deadline, _time, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException e)
        {
            throw new SnapshotException(
                SnapshotErrorCode.QuiesceFailed, $"the guest agent did not {what} within {deadline.TotalSeconds:0} s", e);
        }
        catch (SnapshotException e) when (e.Code == SnapshotErrorCode.HypervisorError)
        {
            throw new SnapshotException(SnapshotErrorCode.QuiesceFailed, $"the guest agent could not {what}", e);
        }
    }
}
