using SnapshotApi.Jobs;
using SnapshotApi.Tests.Nbd;

namespace SnapshotApi.Tests.Jobs;

public sealed class HostLockTests
{
    [Fact]
    public void A_lock_is_had_by_one_at_a_time()
    {
        using var scratch = new ScratchDirectory();
        string path = scratch.File("a.lock");

        using (FileStream? first = HostLock.TryTake(path))
        {
            Assert.NotNull(first);
            Assert.Null(HostLock.TryTake(path));
        }

        using FileStream? again = HostLock.TryTake(path);
        Assert.NotNull(again);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
    }
}
