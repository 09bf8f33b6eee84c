using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using SnapshotApi.Configuration;
using SnapshotApi.Errors;
using SnapshotApi.Images;
using SnapshotApi.Journal;
using SnapshotApi.Stores;
using SnapshotApi.Stores.Glance;
using SnapshotApi.Tests.Fakes;

namespace SnapshotApi.Tests.Stores.Glance;

/// <summary>A Glance that is busy with an image for longer than a server may be silent, after it has got the last byte.</summary>
public sealed class SlowCommitTests : IDisposable
{
    private const int LengthBytes = 1 << 20;

    private static readonly Digest Digest = new("sha512", "ab");

    private readonly string _directory = Directory.CreateTempSubdirectory().FullName;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact(Timeout = 60_000)]
    public async Task It_is_waited_for_as_long_as_the_record_says_that_it_saves()
    {
        var asked = new TaskCompletionSource();
        await using var peer = Peer(
            asked,
            async file =>
            {
                await asked.Task;
                await file.AnswerAsync(204);
            },
            "saving",
            "active");

        Assert.Equal(LengthBytes, (await UploadAsync(peer)).SizeBytes);
    }

    [Fact(Timeout = 60_000)]
    public async Task An_image_that_is_active_is_whole_although_nobody_says_so()
    {
        await using var peer = Peer(new TaskCompletionSource(), file => file.HangAsync(), "saving", "active", "active");

        Assert.Equal(LengthBytes, (await UploadAsync(peer)).SizeBytes);
    }

    [Fact(Timeout = 60_000)]
    public async Task A_proxy_that_gives_up_is_no_end()
    {
        await using var peer = Peer(new TaskCompletionSource(), file => file.AnswerAsync(504), "saving", "active", "active");

        Assert.Equal(LengthBytes, (await UploadAsync(peer)).SizeBytes);
    }

    [Theory(Timeout = 60_000)]
    [InlineData("killed")]
    [InlineData("queued")]
    public async Task An_image_that_is_not_being_saved_is_not_waited_for(string status)
    {
        await using var peer = Peer(new TaskCompletionSource(), file => file.HangAsync(), status);

        var e = await Assert.ThrowsAsync<SnapshotException>(() => UploadAsync(peer));

        Assert.Equal(SnapshotErrorCode.TimedOut, e.Code);
    }

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private static ScriptedPeer Peer(TaskCompletionSource asked, Func<ScriptedConnection, Task> finish, params string[] statuses) => new(
        async c =>
        {
            await c.ReadRequestAsync();
            await c.AnswerAsync(201, "{}");
            foreach (string status in statuses)
            {
                await c.ReadRequestAsync();
                await c.AnswerAsync(
                    200, $$"""{"status": "{{status}}", "name": "n", "size": {{LengthBytes}}, "os_hash_algo": "sha512", "os_hash_value": "ab"}""");
                asked.TrySetResult();
            }

            await c.HangAsync();
        },
        async c =>
        {
            await c.ReadHeadAsync();
            await c.ContinueAsync();
            await c.ReadAsync(LengthBytes);
            await finish(c);
        })
    {
        IsConcurrent = true,
    };

    private async Task<StoredImage> UploadAsync(ScriptedPeer peer)
    {
        IOptions<StoresOptions> options = Options.Create(new StoresOptions { Glance = { Endpoint = peer.Address } });
        using var client = new GlanceClient(options, Options.Create(new NodeOptions { StallTimeout = TimeSpan.FromSeconds(1) }), TimeProvider.System);
        var store = new GlanceStore(client, options, TimeProvider.System);
        using JobJournal journal = JobJournal.Create(
            _directory, new JournalHeader(Guid.NewGuid(), Guid.NewGuid(), 1, 1), new FakeUndoExecutor(), TimeProvider.System, NullLogger.Instance);
        var image = new ImageDescription(Guid.NewGuid(), "n", ImageFormat.Raw, LengthBytes, LengthBytes, new Dictionary<string, string>());
        await using IImageUpload upload = await store.BeginAsync(image, journal, Token);
        await upload.Sink.WriteAsync(new byte[LengthBytes], Token);
        return await upload.PublishAsync(Digest, Token);
    }
}
