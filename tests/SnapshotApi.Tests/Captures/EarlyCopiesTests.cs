using Microsoft.Extensions.Time.Testing;
using SnapshotApi.Captures;
using SnapshotApi.Errors;
using SnapshotApi.Hypervisor;

namespace SnapshotApi.Tests.Captures;

public sealed class EarlyCopiesTests : IDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(20);

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("snapshotapi-test-");
    private readonly FakeTimeProvider _time = new();
    private long _writtenTicks;
    private int _looks;
    private bool _isReliable = true;

    public EarlyCopiesTests()
    {
        _writtenTicks = _time.GetUtcNow().UtcDateTime.Ticks;
        File.WriteAllText(Source, "as it was");
    }

    private string Source => Path.Combine(_directory.FullName, "top");

    private string Destination => Path.Combine(_directory.FullName, "run", "0.layer");

    public void Dispose() => _directory.Delete(recursive: true);

    [Fact]
    public async Task A_disk_at_rest_is_copied_while_its_guest_is_saved_and_not_again()
    {
        _time.Advance(TimeSpan.FromSeconds(1));
        TopLayerCopy copy = NewCopy();
        await using EarlyCopies early = Begin(copy);
        await UntilAsync(() => Copied() == "as it was");

        // No write that the time of the last write tells of: a copy that is made anew would have it.
        File.WriteAllText(Source, "unseen...");
        early.EndWaiting();
        (long Done, long End) told = await RunAsync(copy);

        Assert.Equal("as it was", Copied());
        Assert.Equal((9, 9), told);
    }

    [Fact]
    public async Task What_was_written_after_an_early_copy_is_in_the_copy_all_the_same()
    {
        _time.Advance(TimeSpan.FromSeconds(1));
        TopLayerCopy copy = NewCopy();
        await using EarlyCopies early = Begin(copy);
        await UntilAsync(() => Copied() == "as it was");

        Write("written, and longer");
        early.EndWaiting();
        (long Done, long End) told = await RunAsync(copy);

        Assert.Equal("written, and longer", Copied());
        Assert.Equal((19, 19), told);
    }

    [Fact]
    public async Task What_is_written_while_it_is_copied_early_has_it_copied_again_once_the_disk_is_at_rest()
    {
        _time.Advance(TimeSpan.FromSeconds(1));
        bool isFirst = true;
        TopLayerCopy copy = NewCopy(() =>
        {
            // The first look is before the copy, the second in it.
            if (_looks == 2 && isFirst)
            {
                isFirst = false;
                Write("written");
            }
        });
        await using EarlyCopies early = Begin(copy);
        await UntilAsync(() => Volatile.Read(ref _looks) > 5);

        // Not before the disk was at rest for a moment.
        Assert.NotEqual("written", Copied());
        _time.Advance(TimeSpan.FromSeconds(1));
        await UntilAsync(() => Copied() == "written");
        early.EndWaiting();
        await RunAsync(copy);

        Assert.Equal("written", Copied());
    }

    [Fact]
    public async Task A_disk_that_never_rests_is_copied_when_its_guest_is_saved()
    {
        _time.Advance(TimeSpan.FromMilliseconds(49));
        TopLayerCopy copy = NewCopy();
        await using EarlyCopies early = Begin(copy);
        await UntilAsync(() => Volatile.Read(ref _looks) > 3);
        Assert.False(File.Exists(Destination));

        early.EndWaiting();
        await RunAsync(copy);

        Assert.Equal("as it was", Copied());
    }

    [Fact]
    public async Task Where_the_time_of_the_last_write_proves_nothing_nothing_is_copied_early()
    {
        _time.Advance(TimeSpan.FromSeconds(1));
        _isReliable = false;
        TopLayerCopy copy = NewCopy();
        await using EarlyCopies early = Begin(copy);
        await UntilAsync(() => Volatile.Read(ref _looks) > 0);

        early.EndWaiting();
        await RunAsync(copy);

        Assert.Equal("as it was", Copied());
    }

    [Fact]
    public async Task A_failure_is_told_when_the_guest_is_saved()
    {
        _time.Advance(TimeSpan.FromSeconds(1));
        TopLayerCopy copy = NewCopy();
        Directory.Delete(Path.GetDirectoryName(Destination)!);
        await using EarlyCopies early = Begin(copy);
        await UntilAsync(() => Volatile.Read(ref _looks) > 0);

        early.EndWaiting();
        SnapshotException failure = await Assert.ThrowsAsync<SnapshotException>(() => RunAsync(copy));

        Assert.Equal(SnapshotErrorCode.CopySourceFailed, failure.Code);
    }

    [Fact]
    public async Task A_save_that_fails_ends_the_waiting_for_a_disk_at_rest()
    {
        TopLayerCopy copy = NewCopy();
        EarlyCopies early = Begin(copy);
        await UntilAsync(() => Volatile.Read(ref _looks) > 3);

        await early.DisposeAsync().AsTask().WaitAsync(Deadline, TestContext.Current.CancellationToken);

        Assert.False(File.Exists(Destination));
    }

    private static EarlyCopies Begin(TopLayerCopy copy) => new([copy], CancellationToken.None, TestContext.Current.CancellationToken);

    private static async Task<(long Done, long End)> RunAsync(TopLayerCopy copy)
    {
        (long, long) told = default;
        await copy.RunAsync((done, end) => told = (done, end), CancellationToken.None, TestContext.Current.CancellationToken);
        return told;
    }

    private static async Task UntilAsync(Func<bool> isSo)
    {
        using var deadline = new CancellationTokenSource(Deadline);
        while (!isSo())
        {
            await Task.Delay(5, deadline.Token);
        }
    }

    private TopLayerCopy NewCopy(Action? looking = null)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Destination)!);
        var disk = new DiskDescription(
            "vda", "disk", "file", "raw", [new DiskLayer("file", Source, "raw")], false, false, false, false, null, null, false);
        return new TopLayerCopy(
            disk,
            Destination,
            canClone: false,
            _ =>
            {
                Interlocked.Increment(ref _looks);
                looking?.Invoke();
                return _isReliable ? new DateTime(Interlocked.Read(ref _writtenTicks), DateTimeKind.Utc) : null;
            },
            _time);
    }

    private void Write(string text)
    {
        File.WriteAllText(Source, text);
        Interlocked.Exchange(ref _writtenTicks, _time.GetUtcNow().UtcDateTime.Ticks);
    }

    private string? Copied() => File.Exists(Destination) ? File.ReadAllText(Destination) : null;
}
