using Microsoft.Extensions.Logging.Abstractions;
using SnapshotApi.Captures;
using SnapshotApi.Errors;
using SnapshotApi.Host;
using SnapshotApi.Journal;
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

    [Theory]
    [InlineData(28, true)]
    [InlineData(122, true)]
    [InlineData(5, false)]
    public void A_disk_or_a_quota_that_is_full_is_told_from_one_that_fails(int errno, bool isExhausted) => Assert.Equal(
        isExhausted, StorageErrors.IsFull(new IOException("clone", new System.ComponentModel.Win32Exception(errno))));
}
