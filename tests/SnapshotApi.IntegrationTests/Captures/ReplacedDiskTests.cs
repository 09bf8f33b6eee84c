using SnapshotApi.Captures;
using SnapshotApi.Hypervisor;
using SnapshotApi.Images;
using SnapshotApi.IntegrationTests.Lab;
using SnapshotApi.Snapshots;

namespace SnapshotApi.IntegrationTests.Captures;

/// <summary>The files of a guest that runs are those that its QEMU has open, not those at their paths.</summary>
public sealed class ReplacedDiskTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact(Timeout = 300_000)]
    public async Task A_disk_that_was_deleted_under_its_guest_is_rescued_by_backup_and_by_mirror()
    {
        await using LabGuest guest = await LabGuest.StartAsync("--disk-size", "256M");
        await using var node = new NodeUnderTest();
        ServerDescription server = (await node.Hypervisor.FindServerAsync(guest.Id, Token))!;
        string path = await guest.DiskPathAsync();
        DiskDescription disk = server.Disks.First(d => d.Layers.Any(l => l.Path == path));
        QemuFiles files = QemuFiles.Find(server)!;
        Assert.All(disk.Layers, l => Assert.Equal(LayerIdentity.Same, files.Compare(l)));

        await Shell.RunAsync("cp", path, $"{path}.new");
        await Shell.RunAsync("mv", $"{path}.new", path);
        Assert.Equal(LayerIdentity.Other, QemuFiles.Find(server)!.Compare(disk.Layers[0]));
        File.Delete(path);
        Assert.Equal(LayerIdentity.Gone, QemuFiles.Find(server)!.Compare(disk.Layers[0]));
        Assert.Equal(LayerIdentity.Same, QemuFiles.Find(server)!.Compare(disk.Layers[1]));

        foreach (SnapshotMode mode in new[] { SnapshotMode.Backup, SnapshotMode.Mirror })
        {
            RecordingObserver seen = await node.SnapshotAsync(
                guest.Id, new SnapshotRequest("rescue") { Mode = mode, Format = ImageFormat.Qcow2, Quiesce = QuiesceMode.Never }, Token);
            Assert.Equal("DISK OK", await LabGuest.BootAsync("qcow2", node.ImagePath(Assert.Single(seen.Images))));
        }
    }

    [Theory(Timeout = 300_000)]
    [InlineData("libvirt-qemu:libvirt-qemu", "yes")]
    [InlineData("libvirt-qemu:kvm", "yes")]
    [InlineData("+64055:kvm", "yes")]
    [InlineData("libvirt-qemu:libvirt-qemu", "no")]
    public async Task A_guest_whose_QEMU_runs_as_a_user_by_name_is_captured_live(string label, string relabel)
    {
        await using DefinedGuest guest = DefinedGuest.Create();
        await DefinedGuest.CreateImageAsync(guest.File("disk"), pattern: 7);
        await guest.DefineAsync(
            "file",
            "qcow2",
            $"<source file='{guest.File("disk")}'/>",
            $"<seclabel type='static' model='dac' relabel='{relabel}'><label>{label}</label></seclabel>");
        await Shell.RunAsync("chown", "libvirt-qemu:libvirt-qemu", guest.File("disk"));
        await Shell.RunAsync("virsh", "-c", "qemu:///system", "start", guest.Name);
        await using var node = new NodeUnderTest();

        foreach (SnapshotMode mode in new[] { SnapshotMode.Backup, SnapshotMode.Mirror })
        {
            RecordingObserver seen = await node.SnapshotAsync(
                guest.Id, new SnapshotRequest("label") { Mode = mode, Quiesce = QuiesceMode.Never }, Token);
            Assert.Single(seen.Images);
        }
    }
}
