using System.Text.Json.Nodes;
using SnapshotApi.Libvirt;

namespace SnapshotApi.Hypervisor;

/// <summary>Power, definition and the guest agent.</summary>
internal sealed partial class LibvirtHypervisor
{
    private static readonly TimeSpan SavePollInterval = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan SaveProgressInterval = TimeSpan.FromSeconds(2);

    // Before each command libvirt synchronises with the agent (guest-sync, 5 s).
    private static readonly TimeSpan AgentSlack = TimeSpan.FromSeconds(10);

    public async Task ManagedSaveAsync(Guid serverId, SavedState savedState, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        SaveFlags flags = savedState switch
        {
            SavedState.Running => SaveFlags.Running,
            SavedState.Paused => SaveFlags.Paused,
            _ => SaveFlags.None,
        };
        Task save = ChangeAsync(
            _changing, serverId, "virDomainManagedSave", On(serverId, domain => domain.ManagedSave(flags)),
            Timeout.InfiniteTimeSpan, CancellationToken.None);

        // The memory of a large guest takes minutes: no limit as long as it moves.
        SnapshotException? stalled = await SaveStallAsync(serverId, save, cancellationToken).ConfigureAwait(false);
        if (!save.IsCompleted)
        {
            await AbortSaveAsync(serverId, save).ConfigureAwait(false);
            if (!save.IsCompletedSuccessfully)
            {
                cancellationToken.ThrowIfCancellationRequested();
                throw stalled!;
            }
        }

        await save.ConfigureAwait(false);
    }

    // A save goes on in libvirtd when its client is gone.
    public async Task WaitForSaveEndAsync(Guid serverId, CancellationToken cancellationToken)
    {
        while (await IsSavingAsync(serverId, cancellationToken).ConfigureAwait(false))
        {
            await Task.Delay(SavePollInterval, _time, cancellationToken).ConfigureAwait(false);
        }
    }

    // Reading back the memory of a large guest takes minutes, as the save did.
    public Task StartAsync(Guid serverId, CancellationToken cancellationToken) => ChangeAsync(
        _undoing, serverId, "virDomainCreateWithFlags", On(serverId, domain => domain.Create()),
        Timeout.InfiniteTimeSpan, cancellationToken);

    public Task SuspendAsync(Guid serverId, CancellationToken cancellationToken) =>
        ChangeAsync(serverId, "virDomainSuspend", domain => domain.Suspend(), cancellationToken);

    public Task ResumeAsync(Guid serverId, CancellationToken cancellationToken) =>
        UndoAsync(serverId, "virDomainResume", domain => domain.Resume(), cancellationToken);

    // KEEP_TPM came with libvirt 8.9; before that a TPM's state was always kept.
    public Task UndefineKeepingAllAsync(Guid serverId, bool canKeepTpm, CancellationToken cancellationToken)
    {
        UndefineFlags flags = UndefineFlags.KeepNvram | (canKeepTpm ? UndefineFlags.KeepTpm : UndefineFlags.None);
        return ChangeAsync(serverId, "virDomainUndefineFlags", domain => domain.Undefine(flags), cancellationToken);
    }

    public Task DefineAsync(Guid serverId, string xml, CancellationToken cancellationToken) =>
        ChangeAsync(_undoing, serverId, "virDomainDefineXMLFlags", connection =>
        {
            connection.DefineXml(xml).Dispose();
            return true;
        }, _changeLimit, cancellationToken);

    public Task SetAutostartAsync(Guid serverId, bool isAutostart, CancellationToken cancellationToken) =>
        UndoAsync(serverId, "virDomainSetAutostart", domain => domain.SetAutostart(isAutostart), cancellationToken);

    public async Task<bool?> IsFrozenAsync(Guid serverId, TimeSpan deadline, CancellationToken cancellationToken)
    {
        const string Command = """{"execute":"guest-fsfreeze-status"}""";
        JsonNode? status = await AskAgentAsync(
            _changing, serverId, "tell whether it is frozen", Command, deadline, cancellationToken)
            .ConfigureAwait(false);
        return (string?)status switch
        {
            "frozen" => true,
            "thawed" => false,
            _ => null,
        };
    }

    public async Task<int> FreezeAsync(Guid serverId, TimeSpan deadline, CancellationToken cancellationToken)
    {
        const string Command = """{"execute":"guest-fsfreeze-freeze"}""";
        return Count(await AskAgentAsync(_changing, serverId, "freeze", Command, deadline, cancellationToken)
            .ConfigureAwait(false));
    }

    public async Task<int> ThawAsync(Guid serverId, TimeSpan deadline, CancellationToken cancellationToken)
    {
        const string Command = """{"execute":"guest-fsfreeze-thaw"}""";
        return Count(await AskAgentAsync(_undoing, serverId, "thaw", Command, deadline, cancellationToken)
            .ConfigureAwait(false));
    }

    // The agent may set the clock and still fail: for a hardware clock that the guest lacks.
    public async Task<TimeSpan> SetClockAsync(Guid serverId, TimeSpan deadline, CancellationToken cancellationToken)
    {
        const string AskTime = """{"execute":"guest-get-time"}""";
        string now = NanosecondsOf(_time.GetUtcNow()).ToString(CultureInfo.InvariantCulture);
        string setTime = """{"execute":"guest-set-time","arguments":{"time":""" + now + "}}";
        try
        {
            await AskAgentAsync(_changing, serverId, "set its clock", setTime, deadline, cancellationToken)
                .ConfigureAwait(false);
        }
        catch (SnapshotException e) when (e.InnerException is LibvirtException { Code: LibvirtErrorCode.InternalError })
        {
            // The guest's time shows whether it was set.
        }

        JsonNode? guestTime = await AskAgentAsync(
            _changing, serverId, "tell its time", AskTime, deadline, cancellationToken).ConfigureAwait(false);
        return TimeSpan.FromMicroseconds((NanosecondsOf(_time.GetUtcNow()) - ((long?)guestTime ?? 0)) / 1000d);
    }

    private async Task<bool> IsSavingAsync(Guid serverId, CancellationToken cancellationToken)
    {
        try
        {
            return await AskQemuAsync(serverId, "virDomainGetJobStats", DomainDescriber.IsSaving, cancellationToken)
                .ConfigureAwait(false);
        }
        catch (SnapshotException e) when (e.Code == SnapshotErrorCode.ServerNotFound)
        {
            return false;
        }
    }

    private static long NanosecondsOf(DateTimeOffset time) =>
        (time - DateTimeOffset.UnixEpoch).Ticks * TimeSpan.NanosecondsPerTick;

    private static int Count(JsonNode? answer) =>
        answer is JsonValue value && value.TryGetValue(out int count) ? count : 0;

    // Waits for a save; returns when it has ended, when it is to be aborted, or when it does not move.
    private async Task<SnapshotException?> SaveStallAsync(Guid serverId, Task save, CancellationToken cancellationToken)
    {
        ulong last = 0;
        long movedAt = _time.GetTimestamp();
        while (!save.IsCompleted && !cancellationToken.IsCancellationRequested)
        {
            await Task.WhenAny(save, Task.Delay(SaveProgressInterval, _time, cancellationToken)).ConfigureAwait(false);
            if (save.IsCompleted || cancellationToken.IsCancellationRequested)
            {
                break;
            }

            ulong? processed = await SavedBytesAsync(serverId).ConfigureAwait(false);
            if (processed is { } bytes && bytes != last)
            {
                last = bytes;
                movedAt = _time.GetTimestamp();
            }
            else if (_time.GetElapsedTime(movedAt) > _changeLimit)
            {
                return new SnapshotException(
                    SnapshotErrorCode.TimedOut,
                    $"the save of the guest's memory did not move for {_changeLimit.TotalSeconds:0} s");
            }
        }

        return null;
    }

    private async Task<ulong?> SavedBytesAsync(Guid serverId)
    {
        try
        {
            return await AskQemuAsync(
                serverId, "virDomainGetJobStats", domain => domain.GetJobStats().DataProcessedBytes,
                CancellationToken.None).ConfigureAwait(false);
        }
        catch (SnapshotException)
        {
            // libvirt or the guest does not answer: the caller waits that out.
            return null;
        }
    }

    // Ends our save, and nobody else's job: one that still waits for another's is aborted when its turn comes.
    private async Task AbortSaveAsync(Guid serverId, Task save)
    {
        long asked = _time.GetTimestamp();
        while (!save.IsCompleted)
        {
            if (_time.GetElapsedTime(asked) > _changeLimit)
            {
                throw new SnapshotException(
                    SnapshotErrorCode.TimedOut,
                    "the save of the guest's memory was aborted and has not ended: "
                    + "the guest's QEMU hangs, or another tool's job holds it");
            }

            // Beside the save, which is in flight.
            Task<bool> abort = _undoing.RunAsync(On(serverId, domain =>
            {
                if (DomainDescriber.IsSaving(domain))
                {
                    domain.AbortJob();
                }
            }));
            await ((Task)abort.WaitAsync(MonitorLimit, _time)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await Task.WhenAny(save, Task.Delay(SavePollInterval, _time)).ConfigureAwait(false);
        }
    }

    // With libvirt's own time-out: a call that waited for a guest without bound would hold libvirt's lock of it.
    private async Task<JsonNode?> AskAgentAsync(
        LibvirtPool pool, Guid serverId, string what, string command, TimeSpan deadline,
        CancellationToken cancellationToken)
    {
        int seconds = Math.Max(1, (int)Math.Ceiling(deadline.TotalSeconds));
        try
        {
            Func<LibvirtConnection, string> call = On(serverId, domain => domain.AgentCommand(command, seconds));
            string answer = await _calls.RunAsync(
                serverId, GuestCallKind.Agent, "virDomainQemuAgentCommand", () => pool.RunAsync(call),
                deadline + AgentSlack, cancellationToken).ConfigureAwait(false);
            return JsonNode.Parse(answer)?["return"];
        }
        catch (Exception e) when (IsNoAnswer(e))
        {
            throw Failed($"the guest agent did not {what} within {deadline.TotalSeconds:0} s", e);
        }
        catch (LibvirtException e) when (!e.IsConnectionLost && e.Code != LibvirtErrorCode.NoDomain)
        {
            throw Failed($"the guest agent could not {what}: {Words(e, serverId)}", e);
        }
        catch (LibvirtException e)
        {
            throw Translate(e, serverId);
        }
        catch (JsonException e)
        {
            throw Failed($"the guest agent's answer can't be read; it was to {what}", e);
        }

        static bool IsNoAnswer(Exception e) => e is SnapshotException { Code: SnapshotErrorCode.TimedOut }
            || (e is LibvirtException { Code: var code } && code is LibvirtErrorCode.AgentUnresponsive
                or LibvirtErrorCode.AgentUnsynced or LibvirtErrorCode.OperationTimeout);

        static SnapshotException Failed(string message, Exception inner) =>
            new(SnapshotErrorCode.QuiesceFailed, message, inner);
    }
}
