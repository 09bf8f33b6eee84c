using SnapshotApi.Captures;
using SnapshotApi.Errors;
using SnapshotApi.IntegrationTests.Lab;
using SnapshotApi.Snapshots;

namespace SnapshotApi.IntegrationTests.Captures;

/// <summary>The real guest agent: obeying, absent, hung, dying.</summary>
public sealed class QuiesceTests
{
    [Fact(Timeout = 240_000)]
    public async Task What_the_guest_had_not_synced_is_in_the_image_of_a_frozen_guest_and_job_and_image_say_so()
    {
        await using LabGuest guest = await LabGuest.StartAsync("--disk-size", "256M");
        await using var node = new NodeUnderTest();
        foreach (SnapshotMode mode in new[] { SnapshotMode.Backup, SnapshotMode.Mirror })
        {
            string written = $"not-synced-{Guid.NewGuid():N}";
            await InGuestAsync(guest, $"echo {written} >/mnt/vda/lab/{mode}");

            RecordingObserver seen = await node.SnapshotAsync(
                guest.Id, new SnapshotRequest("q") { Mode = mode, Quiesce = QuiesceMode.Required }, TestContext.Current.CancellationToken);

            ReadOnlySpan<byte> image = File.ReadAllBytes(node.ImagePath(Assert.Single(seen.Images)));
            Assert.True(image.IndexOf(System.Text.Encoding.ASCII.GetBytes(written)) >= 0, $"{mode}: what was written is not in the image");
            Assert.Equal(Consistency.Application, seen.Consistency);
            Assert.Equal("application", Assert.Single(seen.Descriptions).Properties["snapshotapi_consistency"]);
            Assert.True(seen.Freeze > TimeSpan.Zero);
            Assert.Empty(seen.Warnings);
            TestContext.Current.TestOutputHelper?.WriteLine($"{mode}: frozen for {seen.Freeze.TotalMilliseconds:0} ms");
        }

        await AssertWritesAsync(guest);
        node.AssertNoLeftovers();
    }

    [Fact(Timeout = 240_000)]
    public async Task Without_an_agent_required_is_refused_and_auto_is_crash_consistent_with_a_warning()
    {
        await using LabGuest guest = await LabGuest.StartAsync("--disk-size", "256M", "--no-agent");
        await using var node = new NodeUnderTest();
        var observer = new RecordingObserver();

        SnapshotException e = await Assert.ThrowsAsync<SnapshotException>(() => node.SnapshotAsync(
            guest.Id, new SnapshotRequest("q") { Quiesce = QuiesceMode.Required }, TestContext.Current.CancellationToken, observer));
        RecordingObserver auto = await node.SnapshotAsync(guest.Id, new SnapshotRequest("q"), TestContext.Current.CancellationToken);

        Assert.Equal(SnapshotErrorCode.UnsupportedRequest, e.Code);
        Assert.Empty(observer.Images);
        Assert.Equal("not quiesced: the server has no guest-agent channel; the image is crash-consistent", Assert.Single(auto.Warnings));
        Assert.Equal((Consistency.Crash, TimeSpan.Zero), (auto.Consistency, auto.Freeze));
        Assert.Equal("crash", Assert.Single(auto.Descriptions).Properties["snapshotapi_consistency"]);
    }

    [Fact(Timeout = 300_000)]
    public async Task A_hung_agent_fails_required_without_image_and_the_guest_goes_on_unfrozen()
    {
        await using LabGuest guest = await LabGuest.StartAsync("--disk-size", "256M");
        await using var node = new NodeUnderTest(configure: o => o.FreezeTimeout = TimeSpan.FromSeconds(3));
        var observer = new RecordingObserver();
        await HangAgentAsync(guest);

        SnapshotException e = await Assert.ThrowsAsync<SnapshotException>(() => node.SnapshotAsync(
            guest.Id,
            new SnapshotRequest("q") { Mode = SnapshotMode.Backup, Quiesce = QuiesceMode.Required },
            TestContext.Current.CancellationToken,
            observer));

        Assert.Equal(SnapshotErrorCode.QuiesceFailed, e.Code);
        Assert.Empty(observer.Images);
        await AssertIsWellAsync(guest, node);
    }

    [Fact(Timeout = 300_000)]
    public async Task A_hung_agent_makes_auto_crash_consistent_with_a_warning()
    {
        await using LabGuest guest = await LabGuest.StartAsync("--disk-size", "256M");
        await using var node = new NodeUnderTest(configure: o => o.FreezeTimeout = TimeSpan.FromSeconds(3));
        await HangAgentAsync(guest);

        RecordingObserver seen = await node.SnapshotAsync(
            guest.Id, new SnapshotRequest("q") { Mode = SnapshotMode.Mirror }, TestContext.Current.CancellationToken);

        Assert.Equal(Consistency.Crash, seen.Consistency);
        Assert.Single(seen.Images);
        Assert.Contains(seen.Warnings, w => w.StartsWith("not quiesced: the guest agent ", StringComparison.Ordinal));
        await AssertIsWellAsync(guest, node);
    }

    // The agent is back after eight seconds; a run that has ended by then leaves the thaw to the node.
    [Fact(Timeout = 300_000)]
    public async Task An_agent_that_dies_while_the_guest_is_frozen_is_followed_by_a_thaw_in_the_end()
    {
        await using LabGuest guest = await LabGuest.StartAsync("--disk-size", "256M");
        await using NodeUnderTest node = await WithAgentThatDiesAfterFreezeAsync(guest);

        RecordingObserver seen = await node.SnapshotAsync(
            guest.Id, new SnapshotRequest("q") { Mode = SnapshotMode.Mirror }, TestContext.Current.CancellationToken);

        Assert.Equal(Consistency.Application, seen.Consistency);
        Assert.Single(seen.Images);
        Assert.Contains(seen.Warnings, w => w.StartsWith("the guest may still be frozen: ", StringComparison.Ordinal));
        await AssertIsWellAsync(guest, node);
    }

    // As long as a backup job is at work, libvirt would not hear of the agent that is back.
    [Fact(Timeout = 300_000)]
    public async Task An_agent_that_dies_while_the_guest_is_frozen_ends_a_backup_so_that_it_can_be_thawed()
    {
        await using LabGuest guest = await LabGuest.StartAsync("--disk-size", "256M");
        await using NodeUnderTest node = await WithAgentThatDiesAfterFreezeAsync(guest);
        var observer = new RecordingObserver();

        SnapshotException e = await Assert.ThrowsAsync<SnapshotException>(() => node.SnapshotAsync(
            guest.Id, new SnapshotRequest("q") { Mode = SnapshotMode.Backup }, TestContext.Current.CancellationToken, observer));

        Assert.Equal(SnapshotErrorCode.QuiesceFailed, e.Code);
        Assert.Empty(observer.Images);
        await AssertIsWellAsync(guest, node);
    }

    // The loop that would start the agent at once is held. What follows the freeze waits until libvirt knows that the agent is gone: had
    // the backup begun before, libvirt would have lost it.
    private static async Task<NodeUnderTest> WithAgentThatDiesAfterFreezeAsync(LabGuest guest)
    {
        var node = new NodeUnderTest(replace: services => AfterFreeze.Replace(services, () => UntilAgentIsGoneAsync(guest))) { UndoRetries = 6 };
        await InGuestAsync(guest, """
            (while ! [ -e /run/qga.state.isfrozen ]; do usleep 5000; done
            sleep 1
            agent=$(pidof qemu-ga)
            loop=$(cut -d ' ' -f 4 /proc/$agent/stat)
            kill -STOP $loop
            kill -9 $agent
            sleep 8
            kill -CONT $loop) >/dev/null 2>&1 &
            """);
        return node;
    }

    private static async Task UntilAgentIsGoneAsync(LabGuest guest)
    {
        string definition = "";
        for (int i = 0; i < 600 && !definition.Contains("name='org.qemu.guest_agent.0' state='disconnected'", StringComparison.Ordinal); i++)
        {
            await Task.Delay(50, TestContext.Current.CancellationToken);
            definition = await guest.VirshAsync("dumpxml");
        }

        Assert.Contains("state='disconnected'", definition, StringComparison.Ordinal);
    }

    // The shell that stops the agent lets it go on later: no one else could.
    private static Task HangAgentAsync(LabGuest guest) => InGuestAsync(
        guest, "(sleep 1; kill -STOP $(pidof qemu-ga); echo AGENT HANGS >/dev/ttyS0; sleep 30; kill -CONT $(pidof qemu-ga)) >/dev/null 2>&1 &", "AGENT HANGS");

    private static async Task InGuestAsync(LabGuest guest, string command, string? untilLogged = null)
    {
        string json = System.Text.Json.JsonSerializer.Serialize(
            new Dictionary<string, object> { ["execute"] = "guest-exec", ["arguments"] = new Dictionary<string, object> { ["path"] = "/bin/sh", ["arg"] = new[] { "-c", command } } });
        await guest.VirshAsync("qemu-agent-command", json);
        if (untilLogged is not null)
        {
            await UntilLoggedAsync(guest, untilLogged);
            return;
        }

        // guest-exec does not wait; the next command of the agent is answered when the shell has begun.
        await guest.VirshAsync("qemu-agent-command", """{"execute":"guest-ping"}""");
        await Task.Delay(1000, TestContext.Current.CancellationToken);
    }

    private static async Task UntilLoggedAsync(LabGuest guest, string line)
    {
        for (int i = 0; i < 600 && !guest.Log.Contains(line, StringComparison.Ordinal); i++)
        {
            await Task.Delay(50, TestContext.Current.CancellationToken);
        }

        Assert.Contains(line, guest.Log, StringComparison.Ordinal);
    }

    private static async Task AssertIsWellAsync(LabGuest guest, NodeUnderTest node)
    {
        Assert.Equal("running", await guest.StateAsync());
        await guest.AssertBeatingAsync();
        await guest.AssertCleanAsync();
        node.AssertNoLeftovers();
        await AssertWritesAsync(guest);
    }

    // A frozen file system holds back whoever writes to it.
    private static async Task AssertWritesAsync(LabGuest guest)
    {
        string mark = $"WROTE-{Guid.NewGuid():N}";
        for (int i = 0; i < 30; i++)
        {
            (int code, _, _) = await Shell.TryAsync("virsh", "-c", "qemu:///system", "qemu-agent-command", guest.Name, """{"execute":"guest-fsfreeze-status"}""");
            if (code == 0)
            {
                break;
            }

            await Task.Delay(1000, TestContext.Current.CancellationToken);
        }

        await InGuestAsync(guest, $"echo x >/mnt/vda/lab/w && sync && echo {mark} >/dev/ttyS0", mark);
        Assert.Contains(mark, guest.Log, StringComparison.Ordinal);
    }
}
