using System.ComponentModel;
using SnapshotApi.Errors;
using SnapshotApi.Host;
using SnapshotApi.Tests.Nbd;

namespace SnapshotApi.Tests.Host;

public sealed class StorageProbeTests : IDisposable
{
    private const int ENOSPC = 28;
    private const int EROFS = 30;
    private const int EDQUOT = 122;

    private readonly ScratchDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void A_directory_that_can_be_written_to_has_no_problem_and_keeps_nothing()
    {
        Assert.Null(Find(() => StorageProbe.Write(_directory.FullPath)));
        Assert.Empty(Directory.GetFileSystemEntries(_directory.FullPath));
    }

    [Theory]
    [InlineData(ENOSPC, "the store is full; make room there", false)]
    [InlineData(EDQUOT, "the store is full: its quota is used up; raise the quota, or make room", false)]
    [InlineData(
        EROFS,
        "the store can't be written to: its file system is read-only; mount it for writing, or name it in "
        + "ReadWritePaths= of the systemd unit",
        true)]
    public void What_the_file_system_refuses_is_told_with_its_cure(int errno, string sentence, bool isLasting)
    {
        SnapshotException? problem =
            Find(() => throw new IOException("write /srv/secret: no", new Win32Exception(errno)));

        Assert.Equal((sentence, isLasting), (problem?.Message, problem?.IsLasting));
    }

    [Fact]
    public void A_file_where_the_directory_should_be_is_told_as_such()
    {
        string file = _directory.File("file");
        File.WriteAllText(file, "");

        SnapshotException? problem = Find(() => Directory.CreateDirectory(file));

        Assert.Contains("what Store__Path names is no directory", problem?.Message, StringComparison.Ordinal);
        Assert.True(problem?.IsLasting);
    }

    [Fact]
    public void A_directory_that_is_not_there_is_told_as_such() => Assert.Contains(
        "make the directory of Store__Path, or mount it",
        Find(() => StorageProbe.Write(_directory.File("none")))?.Message,
        StringComparison.Ordinal);

    private static SnapshotException? Find(Action attempt) =>
        StorageProbe.FindProblem("the store", "Store__Path", attempt);
}
