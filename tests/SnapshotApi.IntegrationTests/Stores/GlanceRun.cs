using SnapshotApi.Configuration;
using SnapshotApi.Errors;
using SnapshotApi.Images;
using SnapshotApi.IntegrationTests.Captures;
using SnapshotApi.IntegrationTests.Lab;
using SnapshotApi.Snapshots;

namespace SnapshotApi.IntegrationTests.Stores;

/// <summary>One snapshot into a Glance, slow enough for something to happen in its middle, and a name that no other has.</summary>
internal sealed class GlanceRun : IAsyncDisposable
{
    // About 26 MiB are sent: some seconds.
    private const long Slow = 6 << 20;
    private const long Middle = 8 << 20;

    private readonly NodeUnderTest _node;
    private readonly LabGuest _guest;
    private readonly TaskCompletionSource _middle = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public GlanceRun(LabGuest guest, string endpoint, Action<NodeOptions>? configure = null, Action<GlanceStoreOptions>? configureGlance = null)
    {
        _guest = guest;
        _node = new NodeUnderTest(
            configure: configure,
            configureStores: o =>
            {
                o.Glance.Endpoint = endpoint;
                configureGlance?.Invoke(o.Glance);
            });
        Observer.OnAdvanced = done =>
        {
            if (done > Middle)
            {
                _middle.TrySetResult();
            }
        };
    }

    public string Name { get; } = $"snap-{Guid.NewGuid():N}";

    public RecordingObserver Observer { get; } = new();

    /// <summary>Some of the image has been sent, and some has not.</summary>
    public Task InTheMiddleAsync() => _middle.Task.WaitAsync(TimeSpan.FromMinutes(1), TestContext.Current.CancellationToken);

    /// <summary>Runs it; everything is settled and the guest as it was when it returns.</summary>
    public async Task<RecordingObserver> SnapshotAsync(
        bool isSlow = true, Func<SnapshotRequest, SnapshotRequest>? change = null, CancellationToken? cancellation = null)
    {
        var request = new SnapshotRequest(Name)
        {
            Mode = SnapshotMode.Backup,
            Store = "glance",
            BandwidthBytesPerSecond = isSlow ? Slow : null,
            // A third of the guest's data is zeros: looking for them would be a first half, before there is a record.
            Sparsify = Sparsify.Never,
        };
        try
        {
            return await _node.SnapshotAsync(
                _guest.Id, change?.Invoke(request) ?? request, cancellation ?? TestContext.Current.CancellationToken, Observer);
        }
        finally
        {
            _node.AssertNoLeftovers();
            await _guest.AssertCleanAsync();
            await _guest.AssertBeatingAsync();
        }
    }

    /// <summary>Runs it, and it must fail.</summary>
    public async Task<SnapshotException> FailAsync() => await Assert.ThrowsAsync<SnapshotException>(() => SnapshotAsync());

    public ValueTask DisposeAsync() => _node.DisposeAsync();
}
