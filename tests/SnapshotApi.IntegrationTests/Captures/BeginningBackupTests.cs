using SnapshotApi.Captures;
using SnapshotApi.Hypervisor;
using SnapshotApi.IntegrationTests.Lab;
using SnapshotApi.Snapshots;

namespace SnapshotApi.IntegrationTests.Captures;

/// <summary>A guest in the first instants of a backup costs no round of the inventory.</summary>
public sealed class BeginningBackupTests
{
    [Fact(Timeout = 240_000)]
    public async Task Servers_are_listed_while_backups_begin_and_end()
    {
        await using DefinedGuest guest = DefinedGuest.Create();
        await DefinedGuest.CreateImageAsync(guest.File("disk"), pattern: 7);
        await guest.DefineFileAsync(guest.File("disk"));
        await Shell.RunAsync("virsh", "-c", "qemu:///system", "start", guest.Name);
        await using var node = new NodeUnderTest();
        using var done = new CancellationTokenSource();
        Task<int> looking = LookAsync(node, guest, done.Token);

        for (int i = 0; i < 8; i++)
        {
            RecordingObserver seen = await node.SnapshotAsync(
                guest.Id, new SnapshotRequest("begin") { Mode = SnapshotMode.Backup },
                TestContext.Current.CancellationToken);
            Assert.Equal(CaptureKind.Backup, seen.Plan!.Capture);
        }

        await done.CancelAsync();
        Assert.True(await looking > 8);
    }

    private static async Task<int> LookAsync(NodeUnderTest node, DefinedGuest guest, CancellationToken done)
    {
        int rounds = 0;
        for (; !done.IsCancellationRequested; rounds++)
        {
            IReadOnlyList<ServerDescription> servers =
                await node.Hypervisor.ListServersAsync(TestContext.Current.CancellationToken);
            ServerDescription found = Assert.Single(servers, s => s.Id == guest.Id);
            Assert.Null(found.NotAnswering);
            Assert.True(found.ActiveJob is null or "backup", found.ActiveJob);
        }

        return rounds;
    }
}
