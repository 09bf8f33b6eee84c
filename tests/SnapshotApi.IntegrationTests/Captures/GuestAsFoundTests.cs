using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using SnapshotApi.Captures;
using SnapshotApi.Errors;
using SnapshotApi.Hypervisor;
using SnapshotApi.IntegrationTests.Lab;
using SnapshotApi.Snapshots;

namespace SnapshotApi.IntegrationTests.Captures;

/// <summary>A guest is given back as it was found, and is not touched when it could not be.</summary>
public sealed class GuestAsFoundTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>QEMU 7.2.22 dies when a client leaves an export that an I/O thread serves.</summary>
    [Theory(Timeout = 240_000)]
    [InlineData("--iothread")]
    [InlineData("--iothread", "--scsi")]
    public async Task A_guest_with_an_io_thread_lives_and_its_image_boots(params string[] options)
    {
        await using LabGuest guest = await LabGuest.StartAsync(["--disk-size", "256M", .. options]);
        await using var node = new NodeUnderTest();

        foreach (SnapshotMode mode in new[] { SnapshotMode.Auto, SnapshotMode.Backup })
        {
            RecordingObserver seen = await node.SnapshotAsync(guest.Id, new SnapshotRequest("threads") { Mode = mode }, Token);

            Assert.Equal(CaptureKind.Mirror, seen.Plan!.Capture);
            Assert.Contains("I/O thread", seen.Plan.CaptureReason, StringComparison.Ordinal);
            Assert.Equal("running", await guest.StateAsync());
            await guest.AssertBeatingAsync();
            Assert.Contains("DISK OK", await LabGuest.BootAsync("qcow2", node.ImagePath(Assert.Single(seen.Images))), StringComparison.Ordinal);
        }

        await guest.AssertCleanAsync();
    }

    [Fact(Timeout = 180_000)]
    public async Task A_server_that_is_started_with_its_host_still_is_after_a_rebase()
    {
        await using LabGuest guest = await LabGuest.StartAsync("--disk-size", "256M");
        await guest.VirshAsync("autostart");
        await using var node = new NodeUnderTest();
        string definition = await guest.DefinitionAsync();

        await node.SnapshotAsync(guest.Id, new SnapshotRequest("r") { Mode = SnapshotMode.Mirror, BlockRebase = true }, Token);

        Assert.Contains("enable", (await guest.VirshAsync("dominfo")).Split('\n').First(l => l.StartsWith("Autostart", StringComparison.Ordinal)), StringComparison.Ordinal);
        Assert.Equal(definition, await guest.DefinitionAsync());
    }

    [Fact(Timeout = 180_000)]
    public async Task A_guest_that_was_saved_has_the_right_time_afterwards()
    {
        await using LabGuest guest = await LabGuest.StartAsync("--disk-size", "256M");
        await using var node = new NodeUnderTest();

        RecordingObserver seen = await node.SnapshotAsync(guest.Id, new SnapshotRequest("c") { Mode = SnapshotMode.Cold }, Token);

        Assert.InRange(await SecondsBehindAsync(guest), -5, 5);
        Assert.DoesNotContain(seen.Warnings, w => w.Contains("clock", StringComparison.Ordinal));
    }

    [Fact(Timeout = 180_000)]
    public async Task A_guest_without_an_agent_is_told_to_be_late()
    {
        await using LabGuest guest = await LabGuest.StartAsync("--disk-size", "256M", "--no-agent");
        await using var node = new NodeUnderTest();

        RecordingObserver seen = await node.SnapshotAsync(guest.Id, new SnapshotRequest("c") { Mode = SnapshotMode.Cold }, Token);

        string warning = Assert.Single(seen.Warnings, w => w.Contains("clock", StringComparison.Ordinal));
        Assert.Contains(seen.Downtime.Total.TotalSeconds.ToString("0.0", CultureInfo.InvariantCulture), warning, StringComparison.Ordinal);
    }

    [Fact(Timeout = 180_000)]
    public async Task A_guest_that_could_not_start_again_is_not_saved()
    {
        await using LabGuest guest = await LabGuest.StartAsync("--disk-size", "256M", "--cdrom");
        await using var node = new NodeUnderTest();
        string cdrom = await guest.DiskPathAsync("sda");
        File.Move(cdrom, cdrom + ".away");

        SnapshotException e = await Assert.ThrowsAsync<SnapshotException>(() => node.SnapshotAsync(
            guest.Id, new SnapshotRequest("c") { Mode = SnapshotMode.Cold }, Token));
        RecordingObserver live = await node.SnapshotAsync(guest.Id, new SnapshotRequest("b") { Mode = SnapshotMode.Backup }, Token);

        File.Move(cdrom + ".away", cdrom);
        Assert.Equal(SnapshotErrorCode.StateConflict, e.Code);
        Assert.Contains("CD-ROM sda", e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(cdrom, e.Message, StringComparison.Ordinal);
        Assert.Equal("running", await guest.StateAsync());
        await guest.AssertBeatingAsync();
        Assert.Single(live.Images);
    }

    /// <summary>An external snapshot takes milliseconds: it may come between the last look at the guest and the instant.</summary>
    [Theory(Timeout = 180_000)]
    [InlineData("Cold")]
    [InlineData("Mirror")]
    public async Task A_layer_that_another_tool_puts_on_a_disk_in_the_last_moment_ends_the_job(string mode)
    {
        await using LabGuest guest = await LabGuest.StartAsync("--disk-size", "256M");
        await using var node = new NodeUnderTest();
        var observer = new RecordingObserver
        {
            OnStep = step =>
            {
                if (step is SnapshotStep.Saving or SnapshotStep.Mirroring)
                {
                    guest.VirshAsync("snapshot-create-as", "--disk-only", "--no-metadata", "other").GetAwaiter().GetResult();
                }
            },
        };

        SnapshotException e = await Assert.ThrowsAsync<SnapshotException>(() => node.SnapshotAsync(
            guest.Id, new SnapshotRequest("l") { Mode = Enum.Parse<SnapshotMode>(mode) }, Token, observer));

        Assert.Equal(SnapshotErrorCode.StateConflict, e.Code);
        Assert.Contains("another layer", e.Message, StringComparison.Ordinal);
        Assert.Equal("running", await guest.StateAsync());
        await guest.AssertBeatingAsync();
        await guest.AssertCleanAsync();
        Assert.Single((await node.SnapshotAsync(guest.Id, new SnapshotRequest("n") { Mode = Enum.Parse<SnapshotMode>(mode) }, Token)).Images);
    }

    /// <summary>As where AppArmor or SELinux forbid it.</summary>
    [Fact(Timeout = 180_000)]
    public async Task A_guest_whose_QEMU_may_not_bind_the_socket_of_a_backup_is_mirrored_and_the_job_says_so()
    {
        await using LabGuest guest = await LabGuest.StartAsync("--disk-size", "256M");
        string root = Directory.CreateDirectory(Path.Combine(Requires.LabDirectory(), $"{guest.Name}-denied")).FullName;
        Directory.CreateDirectory(
            Path.Combine(root, $"domain-{(await guest.VirshAsync("domid")).Trim()}-{guest.Name}"), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        try
        {
            await using var node = new NodeUnderTest(replace: services => services.AddSingleton(new GuestDirectory(root, root)));

            RecordingObserver seen = await node.SnapshotAsync(guest.Id, new SnapshotRequest("a"), Token);
            SnapshotException asked = await Assert.ThrowsAsync<SnapshotException>(() => node.SnapshotAsync(
                guest.Id, new SnapshotRequest("b") { Mode = SnapshotMode.Backup }, Token));

            Assert.Equal(CaptureKind.Mirror, seen.Plan!.Capture);
            Assert.Contains(seen.Warnings, w => w.Contains("the mirror is taken instead", StringComparison.Ordinal));
            Assert.Contains("DISK OK", await LabGuest.BootAsync("qcow2", node.ImagePath(Assert.Single(seen.Images))), StringComparison.Ordinal);
            Assert.Contains("AppArmor", asked.Message, StringComparison.Ordinal);
            await guest.AssertCleanAsync();
            await guest.AssertBeatingAsync();
        }
        finally
        {
            Directory.Delete(root, recursive: true);
        }
    }

    /// <summary>Nobody else would set it.</summary>
    [Fact(Timeout = 180_000)]
    public async Task A_guest_whose_cold_capture_was_cancelled_has_the_right_time_again()
    {
        await using LabGuest guest = await LabGuest.StartAsync("--disk-size", "256M");
        await using var node = new NodeUnderTest();
        using var cancel = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var observer = new RecordingObserver
        {
            OnStep = step =>
            {
                if (step == SnapshotStep.Cloning)
                {
                    Thread.Sleep(8000);
                    cancel.Cancel();
                }
            },
        };

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => node.SnapshotAsync(
            guest.Id, new SnapshotRequest("c") { Mode = SnapshotMode.Cold }, cancel.Token, observer));

        double behind = double.MaxValue;
        for (int i = 0; i < 90 && behind > 5; i++)
        {
            await Task.Delay(1000, Token);
            behind = await SecondsBehindAsync(guest);
        }

        Assert.InRange(behind, -5, 5);
    }

    [Fact(Timeout = 180_000)]
    public async Task A_medium_that_was_replaced_under_the_guest_is_a_reason_not_to_save_it()
    {
        await using LabGuest guest = await LabGuest.StartAsync("--disk-size", "256M", "--cdrom");
        await using var node = new NodeUnderTest();
        string cdrom = await guest.DiskPathAsync("sda");
        File.Move(cdrom, cdrom + ".old");
        File.Copy(cdrom + ".old", cdrom);

        SnapshotException e = await Assert.ThrowsAsync<SnapshotException>(() => node.SnapshotAsync(
            guest.Id, new SnapshotRequest("c") { Mode = SnapshotMode.Cold }, Token));

        File.Move(cdrom + ".old", cdrom, overwrite: true);
        Assert.Equal(SnapshotErrorCode.StateConflict, e.Code);
        Assert.Contains("medium sda", e.Message, StringComparison.Ordinal);
        Assert.Equal("running", await guest.StateAsync());
        await guest.AssertBeatingAsync();
    }

    /// <summary>libvirt lets a save wait half a minute for the end of another job.</summary>
    [Fact(Timeout = 180_000)]
    public async Task A_save_that_is_cancelled_while_it_waits_for_another_tools_job_leaves_that_job_alone()
    {
        await using LabGuest guest = await LabGuest.StartAsync("--disk-size", "256M");
        await using var node = new NodeUnderTest();
        string directory = $"/var/lib/libvirt/qemu/domain-{(await guest.VirshAsync("domid")).Trim()}-{guest.Name}";
        string backup = Path.Combine(node.WorkDirectory, "backup.xml");
        await File.WriteAllTextAsync(
            backup,
            $"""
            <domainbackup mode='pull'><server transport='unix' socket='{directory}/other.sock'/>
            <disks><disk name='vda' backup='yes' type='file'><scratch file='{directory}/other.scratch'/></disk></disks></domainbackup>
            """,
            Token);
        await guest.VirshAsync("backup-begin", backup);
        using var cancel = CancellationTokenSource.CreateLinkedTokenSource(Token);

        Task save = node.Hypervisor.ManagedSaveAsync(guest.Id, SavedState.AsItIs, cancel.Token);
        await Task.Delay(1000, Token);
        Assert.False(save.IsCompleted);
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => save);

        Assert.Contains("Backup", await guest.VirshAsync("domjobinfo"), StringComparison.Ordinal);
        Assert.Equal("running", await guest.StateAsync());
        await guest.VirshAsync("domjobabort");
        await guest.AssertBeatingAsync();
    }

    [Fact(Timeout = 180_000)]
    public async Task A_frozen_guest_whose_mirrors_can_not_be_ended_is_thawed()
    {
        await using LabGuest guest = await LabGuest.StartAsync("--disk-size", "256M", "--disks", "2");
        await using var node = new NodeUnderTest();
        using var cancel = CancellationTokenSource.CreateLinkedTokenSource(Token);
        using var pausing = new CancellationTokenSource();

        // Cancelled as soon as the CPUs stand still: the mirrors are being ended then.
        Task watching = Task.Run(
            async () =>
            {
                while (!pausing.IsCancellationRequested)
                {
                    if (await guest.StateAsync() == "paused")
                    {
                        await cancel.CancelAsync();
                        return;
                    }
                }
            },
            Token);
        var request = new SnapshotRequest("two") { Mode = SnapshotMode.Mirror, Disks = ["all"], Quiesce = QuiesceMode.Required };
        await Task.WhenAny(node.SnapshotAsync(guest.Id, request, cancel.Token));
        await pausing.CancelAsync();
        await watching;

        string state = await Shell.RunAsync("virsh", "-c", "qemu:///system", "qemu-agent-command", guest.Name, """{"execute":"guest-fsfreeze-status"}""");
        Assert.Contains("thawed", state, StringComparison.Ordinal);
        Assert.Equal("running", await guest.StateAsync());
        await guest.AssertCleanAsync();
        node.AssertNoLeftovers();
    }

    [Fact(Timeout = 180_000)]
    public async Task A_freeze_of_another_tool_is_left_alone()
    {
        await using LabGuest guest = await LabGuest.StartAsync("--disk-size", "256M");
        await using var node = new NodeUnderTest();
        await guest.VirshAsync("domfsfreeze");

        RecordingObserver seen = await node.SnapshotAsync(guest.Id, new SnapshotRequest("b"), Token);
        SnapshotException e = await Assert.ThrowsAsync<SnapshotException>(() => node.SnapshotAsync(
            guest.Id, new SnapshotRequest("b") { Quiesce = QuiesceMode.Required }, Token));

        string state = await Shell.RunAsync("virsh", "-c", "qemu:///system", "qemu-agent-command", guest.Name, """{"execute":"guest-fsfreeze-status"}""");
        await guest.VirshAsync("domfsthaw");
        Assert.Contains("frozen", state, StringComparison.Ordinal);
        Assert.Equal(Consistency.Crash, seen.Consistency);
        Assert.Equal(SnapshotErrorCode.QuiesceFailed, e.Code);
    }

    private static async Task<double> SecondsBehindAsync(LabGuest guest)
    {
        (int code, string answer, _) = await Shell.TryAsync(
            "virsh", "-c", "qemu:///system", "qemu-agent-command", guest.Name, """{"execute":"guest-get-time"}""");
        return code == 0
            ? (DateTimeOffset.UtcNow - DateTimeOffset.UnixEpoch.AddSeconds((long)JsonNode.Parse(answer)!["return"]! / 1e9)).TotalSeconds
            : double.MaxValue;
    }
}
