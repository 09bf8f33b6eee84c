using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using SnapshotApi.Captures;
using SnapshotApi.Configuration;
using SnapshotApi.Errors;
using SnapshotApi.Hypervisor;
using SnapshotApi.Libvirt;
using SnapshotApi.Tests.Fakes;

namespace SnapshotApi.Tests.Captures;

/// <summary>
/// What is left of a mirror when its guest stands still: libvirt does not tell of a job that fails when it is aborted,
/// so it must be over before.
/// </summary>
public sealed class MirrorWaitTests : IDisposable
{
    private const long MiB = 1 << 20;

    private static readonly BlockJobPosition Done = new(1 << 20, 1 << 20);

    private readonly FakeHypervisor _hypervisor = new();
    private readonly FakeTimeProvider _time = new() { AutoAdvanceAmount = TimeSpan.FromMilliseconds(1) };
    private readonly FakeJobs _jobs = new();
    private readonly CaptureRequest _request;
    private readonly MirrorWait _wait;

    public MirrorWaitTests()
    {
        ServerDescription server = _hypervisor.Put(FakeHypervisor.Describe("mirrored"));
        _request = new CaptureRequest(
            Guid.NewGuid(), server, server.Disks, QuiesceMode.Never, false, false, () => null);
        _wait = new MirrorWait(
            _hypervisor, Options.Create(new NodeOptions { StallTimeout = TimeSpan.FromSeconds(10), ReservedBytes = 0 }),
            _time);
    }

    public void Dispose() => _jobs.Dispose();

    [Fact]
    public async Task A_mirror_with_nothing_left_is_drained()
    {
        _hypervisor.BlockJob = () => Done;

        await DrainAsync();
    }

    [Fact]
    public async Task A_mirror_is_waited_for_while_something_is_left()
    {
        int asked = 0;
        _hypervisor.BlockJob = () => ++asked < 5 ? Done with { CurrentBytes = asked } : Done;

        await DrainAsync();

        Assert.Equal(5, asked);
    }

    [Fact]
    public async Task A_job_that_is_gone_before_all_was_copied_is_a_failure()
    {
        int asked = 0;
        _hypervisor.BlockJob = () => ++asked < 3 ? Done with { CurrentBytes = 1 } : null;

        SnapshotException e = await Assert.ThrowsAsync<SnapshotException>(DrainAsync);

        Assert.Equal(SnapshotErrorCode.CopySourceFailed, e.Code);
    }

    [Theory]
    [InlineData((int)BlockJobStatus.Failed)]
    [InlineData((int)BlockJobStatus.Canceled)]
    [InlineData((int)BlockJobStatus.Completed)]
    public async Task A_job_whose_end_was_told_is_a_failure_although_nothing_seems_left(int told)
    {
        _hypervisor.BlockJob = () => Done;
        _jobs.Event = (BlockJobStatus)told;

        SnapshotException e = await Assert.ThrowsAsync<SnapshotException>(DrainAsync);

        Assert.Equal(SnapshotErrorCode.CopySourceFailed, e.Code);
    }

    [Fact]
    public async Task A_mirror_that_does_not_move_keeps_no_guest_standing()
    {
        _hypervisor.BlockJob = () => Done with { CurrentBytes = 1 };

        SnapshotException e = await Assert.ThrowsAsync<SnapshotException>(DrainAsync);

        Assert.Equal(SnapshotErrorCode.TimedOut, e.Code);
    }

    [Fact]
    public async Task A_mirror_that_moves_too_slowly_keeps_no_guest_standing()
    {
        long done = 0;
        _hypervisor.BlockJob = () => Done with { CurrentBytes = ++done };

        SnapshotException e = await Assert.ThrowsAsync<SnapshotException>(DrainAsync);

        Assert.Equal(SnapshotErrorCode.TimedOut, e.Code);
        Assert.Contains("20 s", e.Message, StringComparison.Ordinal);
    }

    /// <summary>It would go on for ever, and burn the disk and the network of the host.</summary>
    [Fact]
    public async Task A_mirror_that_never_comes_nearer_its_end_is_given_up_with_the_reason()
    {
        long copied = 4 * MiB;
        _hypervisor.BlockJob = () => new BlockJobPosition(copied += MiB, copied + (100 * MiB));
        _jobs.OnWait = () => _time.Advance(TimeSpan.FromSeconds(1));
        using var watch = new ServerWatch(_request.ServerId, _ => { });
        MirroredDisk mirror = Mirror();

        SnapshotException e = await Assert.ThrowsAsync<SnapshotException>(() => _wait.UntilReadyAsync(
            _request, [mirror], watch, _jobs, new NoObserver(), TestContext.Current.CancellationToken));

        Assert.Equal(SnapshotErrorCode.TimedOut, e.Code);
        Assert.Contains("faster than it can be mirrored", e.Message, StringComparison.Ordinal);
        Assert.Contains("100 MiB", e.Message, StringComparison.Ordinal);
    }

    /// <summary>A change that comes between the begin of a block job and the first look must not be lost.</summary>
    [Theory]
    [InlineData(1000L, null)]
    [InlineData(null, 1000L)]
    public async Task A_limit_that_changed_since_the_mirror_was_begun_is_told(long? begun, long? now)
    {
        MirroredDisk mirror = Mirror();
        mirror.BytesPerSecond = begun;
        int looks = 0;
        _hypervisor.BlockJob = () => new BlockJobPosition(++looks, MiB);
        _jobs.OnWait = () => _jobs.Event = looks < 3 ? null : BlockJobStatus.Failed;
        using var watch = new ServerWatch(_request.ServerId, _ => { });

        await Assert.ThrowsAsync<SnapshotException>(() => _wait.UntilReadyAsync(
            _request with { Bandwidth = () => now }, [mirror], watch, _jobs, new NoObserver(), TestContext.Current.CancellationToken));

        Assert.Equal([now], _hypervisor.BlockJobSpeeds);
    }

    /// <summary>QEMU copies 16 MiB at once and rests for as long as that takes by the limit: here 160 s.</summary>
    [Theory]
    [InlineData(100L << 10, 140, false)]
    [InlineData(100L << 10, 200, true)]
    [InlineData(null, 20, true)]
    public async Task A_mirror_that_is_told_to_copy_slowly_has_the_time_that_this_takes(long? limit, int seconds, bool isStalled)
    {
        MirroredDisk mirror = Mirror();
        mirror.BytesPerSecond = limit;
        long start = _time.GetTimestamp();
        _hypervisor.BlockJob = () => new BlockJobPosition(1, MiB);
        _jobs.OnWait = () =>
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            _jobs.Event = _time.GetElapsedTime(start) < TimeSpan.FromSeconds(seconds) ? null : BlockJobStatus.Failed;
        };
        using var watch = new ServerWatch(_request.ServerId, _ => { });

        SnapshotException e = await Assert.ThrowsAsync<SnapshotException>(() => _wait.UntilReadyAsync(
            _request with { Bandwidth = () => limit }, [mirror], watch, _jobs, new NoObserver(), TestContext.Current.CancellationToken));

        Assert.Equal(isStalled ? SnapshotErrorCode.TimedOut : SnapshotErrorCode.CopySourceFailed, e.Code);
    }

    private MirroredDisk Mirror() =>
        new(_request.Disks[0], Path.Combine(Path.GetTempPath(), "0.mirror"), MiB, CanBeShallow: false);

    // The wait between two looks passes as soon as it has begun.
    private async Task DrainAsync()
    {
        Task drained = _wait.UntilDrainedAsync(_request, "vda", _jobs, TestContext.Current.CancellationToken);
        while (!drained.IsCompleted)
        {
            _time.Advance(TimeSpan.FromMilliseconds(10));
            await Task.Yield();
        }

        await drained;
    }

    private sealed class FakeJobs : IBlockJobWatch
    {
        public BlockJobStatus? Event { get; set; }

        public BlockJobStatus? LastEvent(string target) => Event;

        public Action OnWait { get; set; } = () => { };

        public Task WaitAsync(TimeSpan atMost, CancellationToken cancellationToken)
        {
            OnWait();
            return Task.CompletedTask;
        }

        public void Dispose()
        {
        }
    }
}
