using Microsoft.Extensions.Logging.Abstractions;
using SnapshotApi.Captures;
using SnapshotApi.Errors;
using SnapshotApi.Host;
using SnapshotApi.Journal;
using SnapshotApi.Linux;
using SnapshotApi.Tests.Fakes;
using SnapshotApi.Tests.Nbd;

namespace SnapshotApi.Tests.Captures;

public sealed class JobDirectoryTests
{
    [Theory]
    [InlineData("64055:104", 64055, 104)]
    [InlineData("+64055:+104", 64055, 104)]
    [InlineData("root:root", 0, 0)]
    [InlineData("root:+104", 0, 104)]
    [InlineData("+64055:root", 64055, 0)]
    [InlineData("root", 0, 0)]
    [InlineData("+64055", 64055, 64055)]
    public void Who_QEMU_runs_as_is_found_by_number_and_by_name(string label, uint user, uint group) =>
        Assert.Equal((user, group), JobDirectory.ParseOwner(label));

    [Theory]
    [InlineData("nobody-of-this-host:root")]
    [InlineData("root:nothing-of-this-host")]
    [InlineData("nobody-of-this-host")]
    [InlineData("+root:root")]
    [InlineData("root:")]
    [InlineData(":root")]
    [InlineData("1:2:3")]
    public void A_label_that_names_nobody_is_an_error_in_words_and_never_a_guess(string label)
    {
        SnapshotException e = Assert.Throws<SnapshotException>(() => JobDirectory.ParseOwner(label));

        Assert.Equal(SnapshotErrorCode.HypervisorError, e.Code);
        Assert.Contains($"'{label}'", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void No_label_is_nobody()
    {
        Assert.Null(JobDirectory.ParseOwner(null));
        Assert.Null(JobDirectory.ParseOwner(""));
    }

    [Fact]
    public void A_work_directory_that_takes_no_directory_is_told_in_words()
    {
        using var scratch = new ScratchDirectory();
        using JobJournal journal = JobJournal.Create(
            scratch.File("journal"), new JournalHeader(Guid.NewGuid(), Guid.NewGuid(), 1, 1), new FakeUndoExecutor(),
            TimeProvider.System, NullLogger.Instance);
        File.WriteAllText(scratch.File("run"), "a file");

        SnapshotException e = Assert.Throws<SnapshotException>(
            () => JobDirectory.Create(scratch.FullPath, Guid.NewGuid(), null, journal));

        Assert.Equal(SnapshotErrorCode.CopyDestinationFailed, e.Code);
        Assert.DoesNotContain(scratch.FullPath, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Nobody_but_the_service_gets_in_before_its_files_are_made()
    {
        using var scratch = new ScratchDirectory();
        using JobJournal journal = JobJournal.Create(
            scratch.File("journal"), new JournalHeader(Guid.NewGuid(), Guid.NewGuid(), 1, 1), new FakeUndoExecutor(),
            TimeProvider.System, NullLogger.Instance);
        (uint User, uint Group) before = LinuxFile.OwnerOf(scratch.FullPath);

        JobDirectory directory = JobDirectory.Create(scratch.FullPath, Guid.NewGuid(), "+64055:+64055", journal);

        Assert.Equal(before, LinuxFile.OwnerOf(directory.Path));
        Assert.Equal(LinuxFile.PrivateDirectory, File.GetUnixFileMode(directory.Path));
        directory.OpenToQemu();
        Assert.Equal((64055u, 64055u), LinuxFile.OwnerOf(directory.Path));
        Assert.Equal(LinuxFile.PrivateDirectory, File.GetUnixFileMode(directory.Path));
    }

    /// <summary>A libvirtd that was restarted does not remember whose a file was.</summary>
    [Fact]
    public void What_libvirt_has_taken_away_is_given_to_the_reader_and_nothing_else_is()
    {
        using var scratch = new ScratchDirectory();
        using JobJournal journal = JobJournal.Create(
            scratch.File("journal"), new JournalHeader(Guid.NewGuid(), Guid.NewGuid(), 1, 1), new FakeUndoExecutor(),
            TimeProvider.System, NullLogger.Instance);
        JobDirectory directory = JobDirectory.Create(scratch.FullPath, Guid.NewGuid(), "+64055:+64055", journal);
        string[] paths = [directory.Reserve("taken"), directory.Reserve("replaced"), directory.Reserve("linked")];
        foreach (string path in paths)
        {
            File.WriteAllText(path, "ours");
            directory.GiveToQemu(path);
            LinuxFile.ChangeOwner(path, 0, 0);
        }

        string secret = scratch.File("secret");
        File.WriteAllText(secret, "of another");
        File.Move(secret, paths[1], overwrite: true);
        File.WriteAllText(secret, "of another");
        File.Delete(paths[2]);
        File.CreateSymbolicLink(paths[2], secret);

        Array.ForEach(paths, directory.TryGiveToReader);

        Assert.Equal((64055u, 64055u), LinuxFile.OwnerOf(paths[0]));
        Assert.Equal((0u, 0u), LinuxFile.OwnerOf(paths[1]));
        Assert.Equal((0u, 0u), LinuxFile.OwnerOf(secret));
    }

    [Theory]
    [InlineData(28, true)]
    [InlineData(122, true)]
    [InlineData(5, false)]
    public void A_disk_or_a_quota_that_is_full_is_told_from_one_that_fails(int errno, bool isExhausted) => Assert.Equal(
        isExhausted, StorageErrors.IsFull(new IOException("clone", new System.ComponentModel.Win32Exception(errno))));
}
