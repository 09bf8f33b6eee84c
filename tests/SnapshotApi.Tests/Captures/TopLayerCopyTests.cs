using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using SnapshotApi.Captures;
using SnapshotApi.Configuration;
using SnapshotApi.Errors;
using SnapshotApi.Host;
using SnapshotApi.Hypervisor;
using SnapshotApi.Journal;
using SnapshotApi.Linux;
using SnapshotApi.Tests.Fakes;
using SnapshotApi.Tests.Nbd;

namespace SnapshotApi.Tests.Captures;

public sealed class TopLayerCopyTests : IDisposable
{
    private readonly ScratchDirectory _directory = new();
    private readonly JobJournal _journal;

    public TopLayerCopyTests()
    {
        File.WriteAllText(Source, new string('x', 200_000));
        _journal = JobJournal.Create(
            _directory.File("journal"), new JournalHeader(Guid.NewGuid(), Guid.NewGuid(), 1, 1), new FakeUndoExecutor(),
            TimeProvider.System, NullLogger.Instance);
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string Source => _directory.File("disk");

    private string Destination => _directory.File("copy");

    private DiskDescription Disk => new(
        "vda", "disk", "file", "raw", [new DiskLayer("file", Source, "raw")], false, false, false, false, null, null,
        false);

    public void Dispose()
    {
        _journal.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public async Task What_is_locked_is_what_is_copied_whatever_lies_at_the_path_by_then()
    {
        TopLayerCopy copy = Copy();
        using (await TopLayerCopier.LockAsync([copy]))
        {
            File.WriteAllText(_directory.File("other"), "other");
            File.Move(_directory.File("other"), Source, overwrite: true);

            await copy.RunAsync((_, _) => { }, CancellationToken.None, Token);
        }

        Assert.Equal(new string('x', 200_000), File.ReadAllText(Destination));
    }

    [Fact]
    public async Task A_disk_that_was_replaced_since_it_was_prepared_is_refused()
    {
        TopLayerCopy copy = Copy();
        File.WriteAllText(_directory.File("other"), "other");
        File.Move(_directory.File("other"), Source, overwrite: true);

        SnapshotException e = await Assert.ThrowsAsync<SnapshotException>(() => TopLayerCopier.LockAsync([copy]));

        Assert.Equal((SnapshotErrorCode.StateConflict, "the file of disk vda was replaced"), (e.Code, e.Message));
    }

    [Fact]
    public async Task A_copy_that_nobody_has_locked_locks_for_itself()
    {
        using var elsewhere = LinuxFile.OpenReadFollowing(Source);
        ByteLock.TryShare(elsewhere, 101);

        SnapshotException e = await Assert.ThrowsAsync<SnapshotException>(
            () => Copy().RunAsync((_, _) => { }, CancellationToken.None, Token));

        Assert.Equal(SnapshotErrorCode.StateConflict, e.Code);
        Assert.False(File.Exists(Destination));
    }

    [Fact]
    public async Task What_was_to_be_a_clone_and_cannot_be_is_copied_into_the_work_directory()
    {
        // Two file systems: never a clone.
        string clonePath = $"/dev/shm/snapshotapi-test-{Guid.NewGuid():N}";
        TopLayerCopy copy = Copy(clonePath);

        await copy.RunAsync((_, _) => { }, CancellationToken.None, Token);

        Assert.False(File.Exists(clonePath));
        Assert.Equal(Destination, copy.Copy.Path);
        Assert.Equal(new string('x', 200_000), File.ReadAllText(Destination));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_copy_keeps_the_reserve_also_when_it_was_to_be_a_clone(bool wasClone)
    {
        TopLayerCopy copy = Copy(
            wasClone ? $"/dev/shm/snapshotapi-test-{Guid.NewGuid():N}" : null, reservedBytes: long.MaxValue / 2);

        SnapshotException e = await Assert.ThrowsAsync<SnapshotException>(
            () => copy.RunAsync((_, _) => { }, CancellationToken.None, Token));

        Assert.Equal(SnapshotErrorCode.NoSpace, e.Code);
        Assert.False(File.Exists(Destination));
    }

    [Fact]
    public void A_path_with_dots_and_links_gets_its_clone_where_the_kernel_has_the_file()
    {
        Directory.CreateDirectory(_directory.File("a"));
        string dotted = _directory.File("a/../disk");
        var copier = new TopLayerCopier(
            Options.Create(new NodeOptions { WorkDirectory = _directory.FullPath, ReservedBytes = 0 }));
        JobDirectory work = JobDirectory.Create(_directory.FullPath, Guid.NewGuid(), null, _journal);

        copier.Prepare([Disk with { Layers = [new DiskLayer("file", dotted, "raw")] }], work, _journal);

        Assert.All(
            _journal.Pending.Select(e => e.Action).OfType<DeleteFile>(),
            d => Assert.Equal(Path.GetFullPath(d.Path), d.Path));
        Assert.Equal(
            ["a", "disk", "journal", "run"],
            Directory.EnumerateFileSystemEntries(_directory.FullPath).Select(p => Path.GetFileName(p)).Order());
    }

    private TopLayerCopy Copy(string? clonePath = null, long reservedBytes = 0) =>
        new(
            Disk, FileIdentity.Find(Source)!.Value, clonePath, Destination,
            new SpaceWatch(_directory.FullPath, reservedBytes, "there"));
}
