using SnapshotApi.Linux;

namespace SnapshotApi.Tests.Linux;

public sealed class LinuxProcessTests
{
    [Fact]
    public void Every_thread_steps_back_and_new_ones_with_them()
    {
        // Not further than a service does by default: it can't be taken back.
        int before = LinuxProcess.NiceOf(0);
        int wanted = Math.Max(before, 1);

        LinuxProcess.LowerPriority(wanted);
        int ofNew = int.MinValue;
        var thread = new Thread(() => ofNew = LinuxProcess.NiceOf(0));
        thread.Start();
        thread.Join();

        Assert.Equal(wanted, LinuxProcess.NiceOf(0));
        Assert.Equal(wanted, ofNew);

        // One that has ended since it was listed has no nice value.
        Assert.All(
            LinuxProcess.Threads(),
            id => Assert.True(LinuxProcess.NiceOf(id) >= wanted || !Directory.Exists($"/proc/self/task/{id}")));
    }

    [Fact]
    public void What_is_nicer_stays_so()
    {
        LinuxProcess.LowerPriority(1);

        LinuxProcess.LowerPriority(0);

        Assert.True(LinuxProcess.NiceOf(0) >= 1);
    }
}
