using System.Collections.Concurrent;
using System.Xml.Linq;
using SnapshotApi.IntegrationTests.Lab;
using SnapshotApi.Libvirt;
using SnapshotApi.Nbd;

namespace SnapshotApi.IntegrationTests.Libvirt;

public sealed class QemuJobTests(QemuGuest lab) : IClassFixture<QemuGuest>
{
    [Fact]
    public async Task Block_copy_becomes_ready_and_is_aborted_without_pivot()
    {
        using LibvirtDomain domain = lab.Domain();
        string source = await lab.Guest.DiskPathAsync();
        string destination = await DestinationAsync("copy");
        ConcurrentQueue<BlockJobEvent> events = new();
        using IDisposable subscription = lab.Connection.SubscribeBlockJob(e => Keep(events, e));

        domain.BlockCopy("vda", DiskXml(destination), BlockCopyFlags.TransientJob, 1UL << 30);
        try
        {
            BlockJobInfo? job = domain.GetBlockJobInfo("vda");
            Assert.Equal(BlockJobType.Copy, job?.Type);
            Assert.Equal(1UL << 30, job?.BandwidthBytesPerSecond);
            Assert.True(domain.IsPersistent);
            domain.BlockJobSetSpeed("vda", 0);
            Assert.Equal(0UL, domain.GetBlockJobInfo("vda")?.BandwidthBytesPerSecond);
            await QemuGuest.UntilAsync(() => events.Any(e => e.Status == BlockJobStatus.Ready));
            BlockJobInfo ready = domain.GetBlockJobInfo("vda")!.Value;
            Assert.True(ready.EndPosition > 0 && ready.CurrentPosition == ready.EndPosition, $"{ready}");

            LibvirtException second = Assert.Throws<LibvirtException>(
                () => domain.BlockCopy("vda", DiskXml(destination + "2"), BlockCopyFlags.TransientJob));
            Assert.Equal(LibvirtErrorCode.BlockCopyActive, second.Code);
        }
        finally
        {
            domain.BlockJobAbort("vda");
        }

        await QemuGuest.UntilAsync(
            () => events.Any(e => e.Status is BlockJobStatus.Canceled or BlockJobStatus.Completed));
        File.Delete(destination);
        Assert.All(
            events, e => Assert.Equal(("vda", BlockJobType.Copy, lab.Guest.Name), (e.Disk, e.Type, e.DomainName)));
        Assert.Null(domain.GetBlockJobInfo("vda"));
        Assert.Equal(source, await lab.Guest.DiskPathAsync());
        await lab.Guest.AssertCleanAsync();
    }

    [Fact]
    public async Task Block_rebase_copies_while_undefined_and_the_definition_comes_back()
    {
        using LibvirtDomain domain = lab.Domain();
        string definition = domain.GetXml(DomainXmlFlags.Inactive | DomainXmlFlags.Secure);
        string destination = await DestinationAsync("rebase");
        LibvirtException persistent = Assert.Throws<LibvirtException>(
            () => domain.BlockRebase("vda", destination, 0, BlockRebaseFlags.Copy));

        domain.Undefine(UndefineFlags.KeepNvram);
        try
        {
            domain.BlockRebase("vda", destination, 1UL << 30, BlockRebaseFlags.Copy | BlockRebaseFlags.BandwidthBytes);
        }
        finally
        {
            lab.Connection.DefineXml(definition).Dispose();
        }

        BlockJobInfo? job = domain.GetBlockJobInfo("vda");
        domain.BlockJobAbort("vda");
        File.Delete(destination);
        Assert.Equal(LibvirtErrorCode.OperationInvalid, persistent.Code);
        Assert.Equal((BlockJobType.Copy, 1UL << 30), (job?.Type, job?.BandwidthBytesPerSecond ?? 0));
        Assert.Equal(definition, domain.GetXml(DomainXmlFlags.Inactive | DomainXmlFlags.Secure));
        await lab.Guest.AssertCleanAsync();
    }

    [Fact]
    public async Task Backup_serves_the_disk_until_it_is_aborted()
    {
        using LibvirtDomain domain = lab.Domain();
        string directory = Path.Combine(Requires.LabDirectory(), lab.Guest.Name);
        // QEMU's user makes the socket.
        Directory.CreateDirectory(directory);
        File.SetUnixFileMode(directory, (UnixFileMode)0b111_111_111);
        string socket = Path.Combine(directory, "b.sock");
        string scratch = Path.Combine(directory, "scratch.qcow2");
        Assert.Null(domain.GetBackupXml());
        Assert.Equal(DomainJobType.None, domain.GetJobStats().Type);

        domain.BackupBegin($"""
            <domainbackup mode='pull'>
              <server transport='unix' socket='{socket}'/>
              <disks>
                <disk name='vda' backup='yes' type='file' exportname='vda'><scratch file='{scratch}'/></disk>
              </disks>
            </domainbackup>
            """, hasFiles: false);
        try
        {
            using (NbdConnection export = NbdConnection.ConnectUnix(socket, "vda", true, TestContext.Current.CancellationToken))
            {
                Assert.Equal((long)domain.GetBlockInfo("vda").CapacityBytes, export.SizeBytes);
            }

            DomainJobStats stats = domain.GetJobStats();
            Assert.Equal(DomainJobOperation.Backup, stats.Operation);
            Assert.Equal("pull", (string?)XElement.Parse(domain.GetBackupXml()!).Attribute("mode"));
            LibvirtException second = Assert.Throws<LibvirtException>(
                () => domain.BackupBegin("<domainbackup mode='pull'><server transport='unix' socket='/x'/></domainbackup>", hasFiles: false));
            Assert.Equal("virDomainBackupBegin", second.Function);
        }
        finally
        {
            domain.AbortJob();
        }

        await QemuGuest.UntilAsync(() => domain.GetBackupXml() is null);
        await QemuGuest.UntilAsync(() => !File.Exists(scratch) && !File.Exists(socket));
        Directory.Delete(directory);
        Assert.Null(domain.GetBackupXml());
        await lab.Guest.AssertCleanAsync();
    }

    private static string DiskXml(string path) =>
        $"<disk type='file'><driver type='qcow2'/><source file='{path}'/></disk>";

    private async Task<string> DestinationAsync(string name) =>
        Path.Combine(Path.GetDirectoryName(await lab.Guest.DiskPathAsync())!, $"{name}.qcow2");

    private void Keep(ConcurrentQueue<BlockJobEvent> events, BlockJobEvent e)
    {
        if (e.DomainUuid == lab.Guest.Id)
        {
            events.Enqueue(e);
        }
    }
}
