using Microsoft.Win32.SafeHandles;
using SnapshotApi.Linux;
using SnapshotApi.Tests.Nbd;

namespace SnapshotApi.Tests.Linux;

public sealed class LinuxFileTests : IDisposable
{
    private readonly ScratchDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void A_sparse_copy_has_the_bytes_and_the_holes_of_its_source()
    {
        const int length = 48 << 20;
        var data = new byte[1 << 20];
        new Random(3).NextBytes(data);
        using SafeFileHandle source = LinuxFile.CreateNew(Path.Combine(_directory.FullPath, "source"));
        RandomAccess.SetLength(source, length);
        RandomAccess.Write(source, data, 8 << 20);
        RandomAccess.Write(source, data, length - data.Length);
        using SafeFileHandle destination = LinuxFile.CreateNew(Path.Combine(_directory.FullPath, "destination"));
        long advanced = 0;

        LinuxFile.CopySparse(
            source, destination, length, bytes => advanced += bytes, TestContext.Current.CancellationToken);

        Assert.Equal(LinuxFile.CountData(source, length), advanced);
        Assert.Equal(length, LinuxFile.GetLength(destination));
        Assert.Equal(LinuxFile.CountData(source, length), LinuxFile.CountData(destination, length));
        Assert.Equal(2 * data.Length, LinuxFile.CountData(destination, length));
        Assert.Equal(
            File.ReadAllBytes(Path.Combine(_directory.FullPath, "source")),
            File.ReadAllBytes(Path.Combine(_directory.FullPath, "destination")));
    }

    [Fact]
    public void Between_two_file_systems_nothing_can_be_cloned()
    {
        string path = $"/dev/shm/snapshotapi-test-{Guid.NewGuid():N}";
        using SafeFileHandle source = LinuxFile.CreateNew(path);
        File.Delete(path);
        RandomAccess.Write(source, new byte[100], 0);
        using SafeFileHandle destination = LinuxFile.CreateNew(Path.Combine(_directory.FullPath, "destination"));

        Assert.False(LinuxFile.CanClone(source, destination));
        Assert.False(LinuxFile.TryClone(source, destination));
    }

    // EAGAIN, EPERM, ETXTBSY are what file systems that can clone say of a file that can't be cloned now.
    [Theory]
    [InlineData(95, true)]
    [InlineData(18, true)]
    [InlineData(11, true)]
    [InlineData(1, true)]
    [InlineData(26, true)]
    [InlineData(28, false)]
    [InlineData(5, false)]
    public void A_file_that_cannot_be_cloned_is_copied_and_a_disk_that_fails_is_an_error(int errno, bool isRefusal) =>
        Assert.Equal(isRefusal, LinuxFile.IsRefusal(errno));

    [Fact]
    public void The_path_of_an_open_file_is_the_kernels()
    {
        string path = _directory.File("disk");
        using SafeFileHandle file = LinuxFile.CreateNew(path);
        File.CreateSymbolicLink(_directory.File("link"), path);
        using SafeFileHandle link = LinuxFile.OpenReadFollowing(_directory.File("link"));

        Assert.Equal(path, LinuxFile.FindPath(link));
        File.Delete(path);
        Assert.Null(LinuxFile.FindPath(link));
    }
}
