using System.Xml.Linq;
using SnapshotApi.Host;
using SnapshotApi.Hypervisor;
using SnapshotApi.Journal;
using SnapshotApi.Libvirt;
using SnapshotApi.Tools;

namespace SnapshotApi.Captures;

/// <summary>Live, by libvirt's backup job in pull mode (copy-before-write). The instant is the start.</summary>
/// <remarks>
/// <list type="number">
/// <item>Room for scratch files, a directory that QEMU may write to, a socket that it may bind.</item>
/// <item>Inside the freeze, if asked: begin the backup of all disks in one call.</item>
/// <item>Hand out the exports; watch scratch space and the guest as long as they are read.</item>
/// </list>
/// https://libvirt.org/formatbackup.html
/// </remarks>
internal sealed partial class BackupCapture(
    IHypervisor hypervisor, Quiesce quiesce, GuestDirectory guestDirectory, QemuImg qemuImg,
    IOptions<NodeOptions> options, TimeProvider time, ILogger<BackupCapture> logger)
    : ICapture, IUndo<EndBackup>, IUndo<ResumeAfterIoError>
{
    private const string ScratchSuffix = ".scratch";

    // In this time a guest that writes 1 GiB/s takes half of the default reserve.
    private static readonly TimeSpan ScratchCheckInterval = TimeSpan.FromMilliseconds(250);

    // A cancelled backup ends within tens of milliseconds, and a guest paused for want of space waits for that.
    private static readonly TimeSpan EndPollInterval = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan EndTimeout = TimeSpan.FromSeconds(30);

    // libvirt reports success of an abort also when QEMU has refused it: asking once may wait for ever.
    private static readonly TimeSpan AbortAgainInterval = TimeSpan.FromSeconds(1);

    public CaptureKind Kind => CaptureKind.Backup;

    public async Task<CapturedDisks> BeginAsync(
        CaptureRequest request, JobJournal journal, ICaptureObserver observer, CancellationToken cancellationToken)
    {
        // Step 1: room and directory. A backup is ended once the reserve is touched.
        observer.StepStarted(CaptureStep.BackupBeginning);
        JobDirectory directory = JobDirectory.Create(
            options.Value.WorkDirectory, request.JobId, request.Server.QemuOwner, journal);
        SpaceWatch space = SpaceWatch.OfWork(directory.Path, options.Value);
        space.Require("the scratch space of a backup", options.Value.ReservedBytes / 2);

        // Where AppArmor lets QEMU bind. QEMU removes that socket with the job, libvirt the directory with the guest.
        string socket = guestDirectory.FindSocketPath(request.Server, request.JobId) ?? directory.Reserve("nbd.sock");
        IServerWatch watch = await hypervisor.WatchServerAsync(request.ServerId, cancellationToken)
            .ConfigureAwait(false);
        var guard = new CaptureGuard(watch, time);
        try
        {
            // libvirt lets a second backup wait half a minute for the first: not in a freeze.
            request = await FoundServer.AsItIsNowAsync(hypervisor, request, time, cancellationToken)
                .ConfigureAwait(false);
            watch.WatchedAliases = Aliases(request);
            string xml = BackupXml(request, socket, directory);
            directory.OpenToQemu();

            // Step 2: the instant.
            QuiesceResult instant = await quiesce.RunAsync(
                request,
                journal,
                observer,
                async token =>
                {
                    bool wasPaused = IsPausedForIoError(request.Server);
                    journal.Add(new ResumeAfterIoError(request.ServerId, wasPaused, socket));
                    journal.Add(new EndBackup(request.ServerId, socket));
                    await BeginBackupAsync(request, xml, directory, space, token).ConfigureAwait(false);
                },
                canBeFrozen: false,
                cancellationToken).ConfigureAwait(false);
            if (!instant.IsThawed)
            {
                // libvirt 9.0 loses for good an agent that leaves or comes back during a backup job: nobody could thaw.
                throw new SnapshotException(
                    SnapshotErrorCode.QuiesceFailed,
                    "the guest was frozen and could not be thawed; the backup was ended, for libvirt does not hear of "
                    + "an agent that comes back while one is at work, and the node goes on trying to thaw");
            }

            // Step 3: hand out the exports.
            var captured = new CapturedDisks
            {
                Views = [.. request.Disks.Select(d => new DiskView(d.Target, new NbdEndpoint(socket, d.Target)))],
                Consistency = instant.Consistency,
                Downtime = () => GuestDowntime.None,
                Freeze = instant.Length,
                FrozenFileSystems = instant.FileSystems,
            };
            captured.Own(guard);
            guard.Begin(captured, request.Server.Name, () => CheckScratch(space), ScratchCheckInterval);
            return captured;
        }
        catch
        {
            await guard.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>
    /// Lets a guest go on that was paused for a full scratch file: QEMU repeats its write. While the backup is at work
    /// that may still happen, so the entry stays.
    /// </summary>
    public async Task UndoAsync(ResumeAfterIoError action, CancellationToken cancellationToken)
    {
        if (action.WasPausedForIoError)
        {
            return;
        }

        if (action.SocketPath is { } socket
            && await IsAtWorkAsync(new EndBackup(action.ServerId, socket), cancellationToken).ConfigureAwait(false))
        {
            throw new SnapshotException(SnapshotErrorCode.HypervisorError, "the backup job has not ended yet");
        }

        ServerDescription? now = await hypervisor.PeekAsync(action.ServerId, cancellationToken).ConfigureAwait(false);
        if (now is not null && IsPausedForIoError(now))
        {
            LogResumingAfterIoError(action.ServerId);
            await hypervisor.ResumeAsync(action.ServerId, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Ends the backup job if it is ours, and waits for its end.</summary>
    public async Task UndoAsync(EndBackup action, CancellationToken cancellationToken)
    {
        if (!await IsAtWorkAsync(action, cancellationToken).ConfigureAwait(false))
        {
            return;
        }

        long start = time.GetTimestamp();
        do
        {
            if (time.GetElapsedTime(start) > EndTimeout)
            {
                throw new SnapshotException(
                    SnapshotErrorCode.HypervisorError, "the backup job was aborted, but did not end");
            }

            await AbortBackupAsync(action, cancellationToken).ConfigureAwait(false);
        }
        while (!await EndsAsync(action, cancellationToken).ConfigureAwait(false));
    }

    // It may have ended meanwhile: then libvirt has no job to abort, as wanted.
    private async Task AbortBackupAsync(EndBackup action, CancellationToken cancellationToken)
    {
        try
        {
            await hypervisor.AbortDomainJobAsync(action.ServerId, cancellationToken).ConfigureAwait(false);
        }
        catch (SnapshotException) when (!cancellationToken.IsCancellationRequested)
        {
            if (await IsAtWorkAsync(action, cancellationToken).ConfigureAwait(false))
            {
                throw;
            }
        }
    }

    // The abort only asks QEMU to cancel: if its answer was lost, libvirt must be asked again.
    private async Task<bool> EndsAsync(EndBackup action, CancellationToken cancellationToken)
    {
        long asked = time.GetTimestamp();
        while (await IsAtWorkAsync(action, cancellationToken).ConfigureAwait(false))
        {
            if (time.GetElapsedTime(asked) >= AbortAgainInterval)
            {
                LogAbortingAgain(action.ServerId);
                return false;
            }

            await Task.Delay(EndPollInterval, time, cancellationToken).ConfigureAwait(false);
        }

        return true;
    }

    private async Task<bool> IsAtWorkAsync(EndBackup action, CancellationToken cancellationToken)
    {
        string? xml = await hypervisor.GetBackupXmlAsync(action.ServerId, cancellationToken).ConfigureAwait(false);
        return xml is not null
            && (string?)XElement.Parse(xml).Element("server")?.Attribute("socket") == action.SocketPath;
    }

    private static bool IsPausedForIoError(ServerDescription server) =>
        server is { PowerState: ServerPowerState.Paused, StateReason: "io_error" };

    // A full scratch file is reported as an error of its disk. Null, with an unknown alias: every device counts.
    private static HashSet<string>? Aliases(CaptureRequest request)
    {
        HashSet<string> targets = [.. request.Disks.Select(d => d.Target)];
        List<string?> aliases = [.. request.Server.Disks.Where(d => targets.Contains(d.Target)).Select(d => d.Alias)];
        return aliases.Contains(null) ? null : [.. aliases.OfType<string>()];
    }

    // libvirt makes the scratch files; of a full disk it only says that the operation failed.
    private async Task BeginBackupAsync(
        CaptureRequest request, string xml, JobDirectory directory, SpaceWatch space,
        CancellationToken cancellationToken)
    {
        try
        {
            try
            {
                await hypervisor.BeginBackupAsync(request.ServerId, xml, hasFiles: false, cancellationToken)
                    .ConfigureAwait(false);
            }
            catch (SnapshotException e) when (directory.HasOwner && IsScratchDenied(e))
            {
                // With dynamic_ownership = 0 in qemu.conf, and for a guest whose label says relabel='no', libvirt makes
                // the files and leaves them root's.
                await MakeScratchAsync(request, xml, directory, cancellationToken).ConfigureAwait(false);
                await hypervisor.BeginBackupAsync(request.ServerId, xml, hasFiles: true, cancellationToken)
                    .ConfigureAwait(false);
            }
        }
        catch (SnapshotException e) when (e.Code == SnapshotErrorCode.HypervisorError && space.IsReserveTouched)
        {
            throw new SnapshotException(
                SnapshotErrorCode.NoSpace,
                "the node's work directory has no space left for the scratch files of the backup", e);
        }
        catch (SnapshotException e) when (
            e.InnerException is LibvirtException native && LibvirtTrouble.IsDenial(native))
        {
            throw new SnapshotException(
                SnapshotErrorCode.HypervisorError,
                $"the backup can't begin, for QEMU may not make its socket or scratch file: {e.Message}", e)
            {
                IsCaptureDenied = true,
            };
        }
    }

    private static bool IsScratchDenied(SnapshotException e) =>
        e.InnerException is LibvirtException native && LibvirtTrouble.IsDenial(native)
        && native.NativeMessage.Contains(ScratchSuffix, StringComparison.Ordinal);

    private async Task MakeScratchAsync(
        CaptureRequest request, string xml, JobDirectory directory, CancellationToken cancellationToken)
    {
        directory.CloseToQemu();
        foreach (XElement disk in XElement.Parse(xml).Descendants("disk").Where(d => d.Element("scratch") is not null))
        {
            string path = disk.Element("scratch")!.Attribute("file")!.Value;
            DiskUsage usage = await hypervisor
                .GetDiskUsageAsync(request.ServerId, disk.Attribute("name")!.Value, cancellationToken)
                .ConfigureAwait(false);
            File.Delete(path);
            await qemuImg.CreateOverlayAsync(path, usage.VirtualSizeBytes, null, cancellationToken)
                .ConfigureAwait(false);
            directory.GiveToQemu(path);
        }

        directory.OpenToQemu();
    }

    private static SnapshotException? CheckScratch(SpaceWatch space) => space.IsReserveTouched
        ? new SnapshotException(
            SnapshotErrorCode.NoSpace,
            $"the guest wrote so much that scratch space ran low ({space.FreeBytes >> 20} MiB free): "
            + "the backup was ended before the guest had to wait")
        : null;

    private static string BackupXml(CaptureRequest request, string socket, JobDirectory directory)
    {
        HashSet<string> targets = [.. request.Disks.Select(d => d.Target)];
        var disks = new XElement("disks");
        int index = 0;
        foreach (string target in request.Server.Disks.Where(d => d.Layers.Count > 0).Select(d => d.Target))
        {
            if (!targets.Contains(target))
            {
                disks.Add(new XElement("disk", new XAttribute("name", target), new XAttribute("backup", "no")));
                continue;
            }

            string scratch = directory.Reserve(index++.ToString(CultureInfo.InvariantCulture) + ScratchSuffix);
            disks.Add(new XElement(
                "disk",
                new XAttribute("name", target),
                new XAttribute("backup", "yes"),
                new XAttribute("type", "file"),
                new XAttribute("exportname", target),
                new XElement("driver", new XAttribute("type", "qcow2")),
                new XElement("scratch", new XAttribute("file", scratch))));
        }

        return new XElement(
            "domainbackup",
            new XAttribute("mode", "pull"),
            new XElement("server", new XAttribute("transport", "unix"), new XAttribute("socket", socket)),
            disks).ToString();
    }

    [LoggerMessage(EventId = 4101, Level = LogLevel.Warning,
        Message = "Server {ServerId} was paused because scratch space was full; "
            + "it goes on now that the backup is ended")]
    private partial void LogResumingAfterIoError(Guid serverId);

    [LoggerMessage(EventId = 4102, Level = LogLevel.Warning,
        Message = "The backup job on server {ServerId} was aborted and is still there; aborting it again")]
    private partial void LogAbortingAgain(Guid serverId);
}
