using SnapshotApi.Captures;
using SnapshotApi.Errors;
using SnapshotApi.Images;
using SnapshotApi.IntegrationTests.Lab;
using SnapshotApi.Snapshots;

namespace SnapshotApi.IntegrationTests.Captures;

/// <summary>Promise 1: the guest ends up as it was found, and sees no error; its image boots.</summary>
public sealed class GuestIsSafeTests
{
    public static TheoryData<string> LiveAndCold => new() { "backup", "mirror", "block_rebase", "cold", "internal_snapshot" };

    [Theory(Timeout = 240_000)]
    [MemberData(nameof(LiveAndCold))]
    public async Task A_writing_guest_sees_no_error_keeps_its_definition_and_its_image_boots(string how)
    {
        await using LabGuest guest = await LabGuest.StartAsync("--disk-size", "256M", "--writer", "4M");
        await using var node = new NodeUnderTest();
        string definition = await guest.DefinitionAsync();

        RecordingObserver seen = await node.SnapshotAsync(guest.Id, Request(how), TestContext.Current.CancellationToken);

        Assert.Equal(definition, await guest.DefinitionAsync());
        await guest.AssertCleanAsync();
        await guest.AssertBeatingAsync();
        Assert.DoesNotContain("WRITE ERROR", guest.Log, StringComparison.Ordinal);
        node.AssertNoLeftovers();
        Assert.Contains("DISK OK", await LabGuest.BootAsync("qcow2", node.ImagePath(Assert.Single(seen.Images))), StringComparison.Ordinal);
        bool isCold = how is "cold" or "internal_snapshot";
        Assert.Equal(isCold ? Consistency.Offline : Consistency.Application, seen.Consistency);

        // The CPUs of a mirrored guest stand still for the moment in which its mirror is ended.
        Assert.Equal(how != "backup", seen.Downtime.Total > TimeSpan.Zero);
        Assert.Equal(!isCold, seen.Freeze > TimeSpan.Zero);
    }

    [Fact(Timeout = 180_000)]
    public async Task Cold_keeps_the_memory_of_a_running_guest()
    {
        await using LabGuest guest = await LabGuest.StartAsync("--disk-size", "256M");
        await using var node = new NodeUnderTest();
        long before = guest.Heartbeat;

        await node.SnapshotAsync(guest.Id, new SnapshotRequest("ram") { Mode = SnapshotMode.Cold }, TestContext.Current.CancellationToken);

        await guest.AssertBeatingAsync();
        IReadOnlyList<long> beats = guest.Heartbeats();
        Assert.True(beats[^1] > before);
        Assert.Equal(beats.Order(), beats);
        Assert.Single(guest.Log.Split('\n'), line => line.Contains("DISK OK", StringComparison.Ordinal));
        Assert.DoesNotContain("managed save image: yes", await guest.VirshAsync("dominfo"), StringComparison.OrdinalIgnoreCase);
    }

    [Fact(Timeout = 180_000)]
    public async Task A_paused_guest_is_paused_again_and_keeps_its_memory()
    {
        await using LabGuest guest = await LabGuest.StartAsync("--disk-size", "256M", "--paused");
        await using var node = new NodeUnderTest();

        foreach (SnapshotMode mode in new[] { SnapshotMode.Cold, SnapshotMode.Mirror, SnapshotMode.Backup })
        {
            await node.SnapshotAsync(guest.Id, new SnapshotRequest("p") { Mode = mode }, TestContext.Current.CancellationToken);
            Assert.Equal("paused", await guest.StateAsync());
        }

        long before = guest.Heartbeat;
        await guest.VirshAsync("resume");
        await guest.AssertBeatingAsync();
        Assert.Equal(guest.Heartbeats().Order(), guest.Heartbeats());
        Assert.True(before > 0);
    }

    [Fact(Timeout = 180_000)]
    public async Task A_stopped_guest_stays_off_and_a_saved_one_stays_saved()
    {
        await using LabGuest guest = await LabGuest.StartAsync("--disk-size", "256M", "--off", "--chain", "3");
        await using var node = new NodeUnderTest();

        RecordingObserver off = await node.SnapshotAsync(guest.Id, new SnapshotRequest("off"), TestContext.Current.CancellationToken);
        Assert.Equal("shut off", await guest.StateAsync());
        Assert.Equal(CaptureKind.Cold, off.Plan!.Capture);
        await Shell.RunAsync("qemu-img", "compare", "-f", "qcow2", "-F", "qcow2", node.ImagePath(off.Images[0]), await guest.DiskPathAsync());

        await guest.VirshAsync("start");
        await guest.VirshAsync("managedsave");
        await node.SnapshotAsync(guest.Id, new SnapshotRequest("saved"), TestContext.Current.CancellationToken);

        Assert.Equal("shut off", await guest.StateAsync());
        Assert.Contains("yes", (await guest.VirshAsync("dominfo")).Split('\n').First(l => l.StartsWith("Managed save", StringComparison.Ordinal)), StringComparison.Ordinal);
        node.AssertNoLeftovers();
    }

    [Theory(Timeout = 180_000)]
    [InlineData("backup")]
    [InlineData("mirror")]
    [InlineData("cold")]
    public async Task All_disks_of_a_guest_become_images_of_one_instant(string how)
    {
        await using LabGuest guest = await LabGuest.StartAsync("--disk-size", "256M", "--disks", "2", "--writer", "2M");
        await using var node = new NodeUnderTest();

        RecordingObserver seen = await node.SnapshotAsync(
            guest.Id, Request(how) with { Disks = ["all"] }, TestContext.Current.CancellationToken);

        Assert.Equal(["vda", "vdb"], seen.Plan!.Disks.Select(d => d.Target));
        await guest.AssertCleanAsync();
        Assert.Equal("running", await guest.StateAsync());
        Assert.Contains("DISK OK", await LabGuest.BootAsync("qcow2", [.. seen.Images.Select(node.ImagePath)]), StringComparison.Ordinal);
    }

    [Fact(Timeout = 180_000)]
    public async Task Somebody_elses_block_job_is_refused_and_left_alone()
    {
        await using LabGuest guest = await LabGuest.StartAsync("--disk-size", "256M");
        await using var node = new NodeUnderTest();
        string destination = Path.Combine(Path.GetDirectoryName(await guest.DiskPathAsync())!, "foreign.qcow2");
        await guest.VirshAsync("blockcopy", "vda", destination, "--transient-job", "--bytes", "1048576");

        foreach (SnapshotMode mode in new[] { SnapshotMode.Mirror, SnapshotMode.Backup, SnapshotMode.Cold })
        {
            SnapshotException e = await Assert.ThrowsAsync<SnapshotException>(() => node.SnapshotAsync(
                guest.Id, new SnapshotRequest("x") { Mode = mode }, TestContext.Current.CancellationToken));
            Assert.Equal(SnapshotErrorCode.ServerBusy, e.Code);
        }

        Assert.Contains(destination, await guest.VirshAsync("dumpxml"), StringComparison.Ordinal);
        await guest.VirshAsync("blockjob", "vda", "--abort");
        File.Delete(destination);
        node.AssertNoLeftovers();
    }

    /// <summary>libvirt lets a second backup wait for the first: the guest must not be frozen for that.</summary>
    [Fact(Timeout = 180_000)]
    public async Task Somebody_elses_backup_that_begins_after_the_plan_costs_the_guest_no_freeze()
    {
        await using LabGuest guest = await LabGuest.StartAsync("--disk-size", "256M");
        await using var node = new NodeUnderTest();
        string directory = Path.GetDirectoryName(await guest.DiskPathAsync())!;
        string xml = Path.Combine(directory, "foreign.xml");

        // Where QEMU's user may make a socket.
        string socket = Path.Combine(Path.GetTempPath(), $"{Guid.NewGuid():N}"[..12]);
        await File.WriteAllTextAsync(
            xml,
            $"""
            <domainbackup mode="pull"><server transport="unix" socket="{socket}"/>
            <disks><disk name="vda" backup="yes" type="file"><scratch file="{directory}/foreign.scratch"/></disk></disks></domainbackup>
            """,
            TestContext.Current.CancellationToken);
        var observer = new RecordingObserver();
        observer.OnStep = step =>
        {
            if (step == SnapshotStep.BackupBeginning)
            {
                guest.VirshAsync("backup-begin", xml).GetAwaiter().GetResult();
            }
        };

        SnapshotException e = await Assert.ThrowsAsync<SnapshotException>(() => node.SnapshotAsync(
            guest.Id, new SnapshotRequest("x") { Mode = SnapshotMode.Backup, Quiesce = QuiesceMode.Required }, TestContext.Current.CancellationToken, observer));

        Assert.Equal(SnapshotErrorCode.ServerBusy, e.Code);
        Assert.Contains("a backup job is at work", e.Message, StringComparison.Ordinal);
        Assert.Contains(socket, await guest.VirshAsync("backup-dumpxml"), StringComparison.Ordinal);
        string state = await Shell.RunAsync("virsh", "-c", "qemu:///system", "qemu-agent-command", guest.Name, """{"execute":"guest-fsfreeze-status"}""");
        Assert.Contains("thawed", state, StringComparison.Ordinal);
        await guest.VirshAsync("domjobabort");
        File.Delete(socket);
        node.AssertNoLeftovers();
    }

    [Fact(Timeout = 180_000)]
    public async Task A_mirror_that_somebody_aborts_fails_and_publishes_nothing()
    {
        await using LabGuest guest = await LabGuest.StartAsync("--disk-size", "256M", "--disk-format", "raw");
        await using var node = new NodeUnderTest();
        var observer = new RecordingObserver();
        observer.OnAdvanced = done =>
        {
            if (done > 0)
            {
                observer.OnAdvanced = _ => { };
                _ = Shell.TryAsync("virsh", "-c", "qemu:///system", "blockjob", guest.Name, "vda", "--abort");
            }
        };

        SnapshotException e = await Assert.ThrowsAsync<SnapshotException>(() => node.SnapshotAsync(
            guest.Id,
            new SnapshotRequest("x") { Mode = SnapshotMode.Mirror, BandwidthBytesPerSecond = 4 << 20 },
            TestContext.Current.CancellationToken,
            observer));

        Assert.Equal(SnapshotErrorCode.CopySourceFailed, e.Code);
        Assert.Empty(observer.Images);
        node.AssertNoLeftovers();
        await guest.AssertCleanAsync();
    }

    [Theory(Timeout = 180_000)]
    [InlineData("backup", "destroy")]
    [InlineData("mirror", "destroy")]
    [InlineData("backup", "shutdown", "--mode", "agent")]
    [InlineData("mirror", "shutdown", "--mode", "agent")]
    public async Task A_guest_that_ends_in_mid_copy_fails_the_snapshot_with_that_reason(string how, string end, params string[] options)
    {
        await using LabGuest guest = await LabGuest.StartAsync("--disk-size", "256M", "--disk-format", "raw");
        await using var node = new NodeUnderTest();
        Task<string>? ending = null;
        var observer = new RecordingObserver();
        observer.OnAdvanced = done =>
        {
            if (done > 0)
            {
                ending ??= guest.VirshAsync(end, options);
            }
        };

        SnapshotException e = await Assert.ThrowsAsync<SnapshotException>(() => node.SnapshotAsync(
            guest.Id, Request(how) with { BandwidthBytesPerSecond = 4 << 20 }, TestContext.Current.CancellationToken, observer));

        Assert.Equal(SnapshotErrorCode.ServerStopped, e.Code);
        Assert.NotNull(ending);
        await ending;
        await guest.WaitForStateAsync("shut off");
        Assert.Empty(observer.Images);
        node.AssertNoLeftovers();
        await guest.AssertCleanAsync();
    }

    [Fact(Timeout = 180_000)]
    public async Task The_directories_of_a_capture_are_private()
    {
        await using LabGuest guest = await LabGuest.StartAsync("--disk-size", "256M");
        await using var node = new NodeUnderTest();
        var modes = new List<UnixFileMode>();
        var observer = new RecordingObserver
        {
            OnStep = step =>
            {
                if (step == SnapshotStep.Uploading)
                {
                    string run = Path.Combine(node.WorkDirectory, "run");
                    modes.AddRange(Directory.EnumerateDirectories(run).Select(File.GetUnixFileMode));
                    modes.AddRange(Directory.EnumerateFiles(run, "*.mirror", SearchOption.AllDirectories).Select(File.GetUnixFileMode));
                }
            },
        };

        await node.SnapshotAsync(
            guest.Id, new SnapshotRequest("x") { Mode = SnapshotMode.Mirror }, TestContext.Current.CancellationToken, observer);

        const UnixFileMode others =
            UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;
        Assert.Equal(2, modes.Count);
        Assert.All(modes, mode => Assert.Equal(UnixFileMode.None, mode & others));
    }

    private static SnapshotRequest Request(string how) => how switch
    {
        "backup" => new SnapshotRequest("b") { Mode = SnapshotMode.Backup },
        "mirror" => new SnapshotRequest("m") { Mode = SnapshotMode.Mirror },
        "block_rebase" => new SnapshotRequest("r") { Mode = SnapshotMode.Mirror, BlockRebase = true },
        "internal_snapshot" => new SnapshotRequest("i") { Mode = SnapshotMode.Cold, InternalSnapshot = true, Format = ImageFormat.Qcow2 },
        _ => new SnapshotRequest("c") { Mode = SnapshotMode.Cold },
    };
}
