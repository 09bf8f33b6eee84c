using SnapshotApi.Captures;
using SnapshotApi.Host;
using SnapshotApi.Hypervisor;
using SnapshotApi.Journal;

namespace SnapshotApi.Jobs;

/// <summary>
/// Makes canaries and takes them away. Files, definition and process are journalled before they are made, as those of a
/// job.
/// </summary>
internal sealed class CanaryNest(
    IHypervisor hypervisor, CanaryRemoval removal, JournalRecovery recovery, CanaryJournals journals,
    IOptions<NodeOptions> options, TimeProvider time)
{
    // A BIOS takes a second, several without KVM on a busy host.
    private static readonly TimeSpan BootLimit = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan BootPollInterval = TimeSpan.FromMilliseconds(50);

    /// <summary>Starts a canary and waits until its BIOS has read from its disk; the caller disposes it.</summary>
    /// <exception cref="SnapshotException">It can't be made: nothing is left of it.</exception>
    public async Task<CanaryGuest> StartAsync(
        HypervisorHost host, GuestShape shape, CancellationToken cancellationToken)
    {
        Guid id = Guid.NewGuid();
        JobJournal journal = journals.Begin(id);
        var canary = new CanaryGuest(id, $"snapshotapi-canary-{options.Value.Name}-{shape.ToSnakeCase()}", shape, () =>
            recovery.EndCheckAsync(journal));
        try
        {
            List<string> paths = MakeDisks(host, shape, journal);
            journal.Add(new RemoveCanary(id));
            string xml = CanaryXml.Build(host, options.Value.Name, id, canary.Name, shape, paths);
            await hypervisor.DefineAsync(id, xml, cancellationToken).ConfigureAwait(false);
            await hypervisor.StartAsync(id, cancellationToken).ConfigureAwait(false);
            await WaitForBootAsync(canary, cancellationToken).ConfigureAwait(false);
            return canary;
        }
        catch
        {
            await canary.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Takes away what an earlier check has left although its journal is gone; no other node's.</summary>
    public async Task SweepAsync(CancellationToken cancellationToken)
    {
        foreach (ServerDescription left in await hypervisor.ListServersAsync(cancellationToken).ConfigureAwait(false))
        {
            if (left.CanaryOf == options.Value.Name)
            {
                await removal.UndoAsync(new RemoveCanary(left.Id), cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private List<string> MakeDisks(HypervisorHost host, GuestShape shape, JobJournal journal)
    {
        var directory = JobDirectory.Create(
            options.Value.WorkDirectory, journal.Header.JobId, host.QemuOwner, journal);
        var paths = new List<string>();
        try
        {
            for (int i = 0; i < (shape == GuestShape.TwoDisks ? 2 : 1); i++)
            {
                string path = directory.Reserve($"{i.ToString(CultureInfo.InvariantCulture)}.qcow2");
                CanaryDisk.Write(path, i);
                directory.GiveToQemu(path);
                paths.Add(path);
            }

            directory.OpenToQemu();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new SnapshotException(
                e is IOException io && StorageErrors.IsFull(io)
                    ? SnapshotErrorCode.NoSpace
                    : SnapshotErrorCode.CopyDestinationFailed,
                "no disk for a canary could be made in the node's work directory",
                e);
        }

        return paths;
    }

    private async Task WaitForBootAsync(CanaryGuest canary, CancellationToken cancellationToken)
    {
        long start = time.GetTimestamp();
        while (!await hypervisor.HasReadAsync(canary.Id, canary.Targets[0], cancellationToken).ConfigureAwait(false))
        {
            if (time.GetElapsedTime(start) > BootLimit)
            {
                throw new SnapshotException(
                    SnapshotErrorCode.TimedOut,
                    $"a canary has not read its boot sector within {BootLimit.TotalSeconds:0} s");
            }

            await Task.Delay(BootPollInterval, time, cancellationToken).ConfigureAwait(false);
        }
    }
}

/// <summary>A canary that runs; disposing takes it away.</summary>
internal sealed class CanaryGuest(Guid id, string name, GuestShape shape, Func<Task> remove) : IAsyncDisposable
{
    public Guid Id { get; } = id;

    public string Name { get; } = name;

    public GuestShape Shape { get; } = shape;

    /// <summary>Its disks.</summary>
    public IReadOnlyList<string> Targets { get; } =
        [.. Enumerable.Range(0, shape == GuestShape.TwoDisks ? 2 : 1).Select(i => CanaryXml.TargetOf(shape, i))];

    public async ValueTask DisposeAsync() => await remove().ConfigureAwait(false);
}

/// <summary>Journals of checks, among those of jobs.</summary>
internal sealed class CanaryJournals(
    NodeDirectories directories, IUndoExecutor executor, IFaultPoint faults, TimeProvider time,
    ILogger<JobJournal> logger)
{
    /// <summary>Begins one; whoever settles it disposes it.</summary>
    /// <exception cref="SnapshotException">no_space: it can't be written.</exception>
    public JobJournal Begin(Guid canaryId)
    {
        // Later ones have later names: recovery undoes them first.
        var header = JournalHeader.OfCheck(Guid.CreateVersion7(time.GetUtcNow()), canaryId);
        try
        {
            return JobJournal.Create(directories.Journals, header, executor, time, logger, faults);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new SnapshotException(SnapshotErrorCode.NoSpace, "the node's work directory can't be written", e);
        }
    }
}

/// <summary>Takes canaries of this node away, and reads what their QEMU has left.</summary>
internal sealed class CanaryRemoval(IHypervisor hypervisor) : IUndo<RemoveCanary>
{
    // libvirt keeps a log of each guest that it has ever started.
    private const string LogDirectory = "/var/log/libvirt/qemu";

    /// <summary>Ends and undefines a canary of this node.</summary>
    public async Task UndoAsync(RemoveCanary action, CancellationToken cancellationToken)
    {
        ServerDescription? canary = await hypervisor.PeekAsync(action.ServerId, cancellationToken)
            .ConfigureAwait(false);

        // Its id is ours; the node may have had another name.
        if (canary?.CanaryOf is null)
        {
            return;
        }

        try
        {
            await hypervisor.RemoveAsync(canary.Id, cancellationToken).ConfigureAwait(false);
        }
        catch (SnapshotException e) when (e.Code == SnapshotErrorCode.ServerNotFound)
        {
            // It has gone by itself.
        }

        DeleteLog(canary.Name);
    }

    /// <summary>What QEMU said last of why it ended, without paths; null: it can't be told.</summary>
    public static string? FindLastWords(string name)
    {
        try
        {
            // One that could not be deleted tells of earlier canaries, too.
            string[] lines = File.ReadAllLines(Path.Combine(LogDirectory, $"{name}.log"));
            int start = Array.FindLastIndex(lines, l => l.Contains("starting up", StringComparison.Ordinal));
            string? line = lines.Skip(start)
                .LastOrDefault(l => l.Contains("Assertion", StringComparison.Ordinal));
            return line is null ? null : HostText.Clean(line.Trim());
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    // Where the service may not write there, the log stays: one for each shape, for ever the same.
    private static void DeleteLog(string name)
    {
        try
        {
            File.Delete(Path.Combine(LogDirectory, $"{name}.log"));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A host that lets the service write nothing there.
        }
    }
}
