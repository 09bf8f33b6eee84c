using System.Diagnostics;
using SnapshotApi.Captures;
using SnapshotApi.Errors;
using SnapshotApi.Host;
using SnapshotApi.Hypervisor;
using SnapshotApi.IntegrationTests.Lab;
using SnapshotApi.Linux;
using SnapshotApi.Snapshots;

namespace SnapshotApi.IntegrationTests.Captures;

/// <summary>A disk that somebody else writes is not copied, and a disk that is copied is not written.</summary>
public sealed class WriterTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory(Timeout = 120_000)]
    [InlineData("qemu", "process qemu-io")]
    [InlineData("plain", "process bash")]
    [InlineData("loop", "loop device loop")]
    [InlineData("base", "a lower layer of disk vda is open for writing by process qemu-io")]
    [InlineData("device", "process bash")]
    [InlineData("mounted", "this host, which has it mounted")]
    public async Task A_guest_that_is_off_with_a_writer_on_its_disk_is_refused_and_then_captured(string how, string words)
    {
        await using DefinedGuest guest = DefinedGuest.Create();
        await using var node = new NodeUnderTest();
        string disk = guest.File("disk");
        if (how is "device" or "mounted")
        {
            disk = await guest.LoopAsync("disk");
            await Shell.RunAsync("mkfs.ext4", "-q", disk);
            await guest.DefineAsync("block", "raw", $"<source dev='{disk}'/>");
        }
        else
        {
            await DefinedGuest.CreateImageAsync(guest.File("base"), pattern: 7);
            await DefinedGuest.CreateImageAsync(disk, "base", "qcow2");
            await guest.DefineFileAsync(disk);
        }

        Func<Task> end = await BeginWritingAsync(how, disk, guest);
        try
        {
            SnapshotException e = await Assert.ThrowsAsync<SnapshotException>(
                () => node.SnapshotAsync(guest.Id, new SnapshotRequest("written"), Token));

            Assert.Equal(SnapshotErrorCode.StateConflict, e.Code);
            Assert.Contains(words, e.Message, StringComparison.Ordinal);
            Assert.DoesNotContain(guest.Directory, e.Message, StringComparison.Ordinal);
        }
        finally
        {
            await end();
        }

        node.AssertNoLeftovers();
        Assert.Single((await node.SnapshotAsync(guest.Id, new SnapshotRequest("quiet"), Token)).Images);
    }

    [Fact(Timeout = 120_000)]
    public async Task A_guest_cannot_be_started_while_its_disk_is_copied_and_can_afterwards()
    {
        await using DefinedGuest guest = DefinedGuest.Create();
        await using var node = new NodeUnderTest();
        await DefinedGuest.CreateImageAsync(guest.File("disk"));
        await guest.DefineFileAsync(guest.File("disk"));
        ServerDescription server = ChainResolver.Complete((await node.Hypervisor.FindServerAsync(guest.Id, Token))!);
        var copy = new TopLayerCopy(server.Disks[0], FileIdentity.Find(guest.File("disk"))!.Value, null, guest.File("copy"), new SpaceWatch(guest.Directory, 0, "there"));

        using (await TopLayerCopier.LockAsync([copy]))
        {
            (int code, _, string error) = await Shell.TryAsync("virsh", "-c", "qemu:///system", "start", guest.Name);

            Assert.NotEqual(0, code);
            Assert.Contains("Failed to get \"write\" lock", error, StringComparison.Ordinal);
            await copy.RunAsync((_, _) => { }, CancellationToken.None, Token);
        }

        await Shell.RunAsync("virsh", "-c", "qemu:///system", "start", guest.Name);
        await Shell.RunAsync("qemu-img", "check", "-f", "qcow2", guest.File("copy"));
        SnapshotException e = Assert.Throws<SnapshotException>(() => LayerLocks.RequireNoWriter([server.Disks[0]]));
        Assert.Contains("process qemu-system-x86", e.Message, StringComparison.Ordinal);
    }

    // libvirt gives a QEMU device nodes of its own, on which QEMU's lock says nothing to us: the process is found all the same.
    [Fact(Timeout = 120_000)]
    public async Task A_guest_that_runs_on_a_device_is_found_although_its_node_is_another()
    {
        await using DefinedGuest other = DefinedGuest.Create();
        await using DefinedGuest guest = DefinedGuest.Create();
        await using var node = new NodeUnderTest();
        string device = await other.LoopAsync("disk");
        await other.DefineAsync("block", "raw", $"<source dev='{device}'/>");
        await guest.DefineAsync("block", "raw", $"<source dev='{device}'/>");
        await Shell.RunAsync("virsh", "-c", "qemu:///system", "start", other.Name);

        SnapshotException e = await Assert.ThrowsAsync<SnapshotException>(() => node.SnapshotAsync(guest.Id, new SnapshotRequest("shared"), Token));

        Assert.Equal(SnapshotErrorCode.StateConflict, e.Code);
        Assert.Contains("process qemu-system-x86", e.Message, StringComparison.Ordinal);
    }

    private static async Task<Func<Task>> BeginWritingAsync(string how, string disk, DefinedGuest guest)
    {
        switch (how)
        {
            case "loop":
                string loop = (await Shell.RunAsync("losetup", "-f", "--show", disk)).Trim();
                return () => Shell.RunAsync("losetup", "-d", loop);
            case "mounted":
                Directory.CreateDirectory(guest.File("mount"));
                await Shell.RunAsync("mount", disk, guest.File("mount"));
                return () => Shell.RunAsync("umount", guest.File("mount"));
            case "qemu" or "base":
                return await OpenAsync(new ProcessStartInfo("qemu-io", ["-f", "qcow2", how == "base" ? guest.File("base") : disk]), "length");
            default:
                return await OpenAsync(new ProcessStartInfo("bash", ["-c", "exec 3<>\"$0\"; while read -r line; do echo \"$line\"; done", disk]), "open");
        }
    }

    // What answers a line has opened its file.
    private static async Task<Func<Task>> OpenAsync(ProcessStartInfo start, string line)
    {
        start.RedirectStandardInput = true;
        start.RedirectStandardOutput = true;
        Process process = Process.Start(start)!;
        await process.StandardInput.WriteLineAsync(line);
        Assert.NotNull(await process.StandardOutput.ReadLineAsync(Token));
        return async () =>
        {
            process.Kill();
            await process.WaitForExitAsync();
            process.Dispose();
        };
    }
}
