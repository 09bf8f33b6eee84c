using Microsoft.Win32.SafeHandles;
using SnapshotApi.Linux;
using SnapshotApi.Tests.Nbd;

namespace SnapshotApi.Tests.Linux;

public sealed class ByteLockTests : IDisposable
{
    private readonly ScratchDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void A_lock_is_shared_seen_by_others_only_and_given_back()
    {
        string path = _directory.File("disk");
        using SafeFileHandle one = LinuxFile.CreateNew(path);
        using SafeFileHandle other = LinuxFile.OpenReadFollowing(path);

        Assert.True(ByteLock.TryShare(one, 201));
        Assert.True(ByteLock.TryShare(other, 201));
        Assert.True(ByteLock.IsHeldElsewhere(one, 201));
        ByteLock.Release(other, 201);

        Assert.False(ByteLock.IsHeldElsewhere(one, 201));
        Assert.True(ByteLock.IsHeldElsewhere(other, 201));
        Assert.False(ByteLock.IsHeldElsewhere(other, 203));
        ByteLock.Release(one, 201);
        Assert.False(ByteLock.IsHeldElsewhere(other, 201));
    }

    [Fact]
    public void What_has_no_locks_says_so()
    {
        using SafeFileHandle proc = LinuxFile.OpenReadFollowing("/proc/self/status");

        Assert.NotEqual(false, ByteLock.TryShare(proc, 201));
        Assert.False(ByteLock.IsHeldElsewhere(proc, 201));
    }
}
