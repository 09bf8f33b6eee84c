using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using SnapshotApi.Configuration;
using SnapshotApi.Images;
using SnapshotApi.Stores;
using SnapshotApi.Stores.Glance;

namespace SnapshotApi.Tests.Stores.Glance;

/// <summary>When a record is changed while it is filled, and when never: a change writes the status back as it was read.</summary>
public sealed class GlanceProgressTests : IAsyncLifetime
{
    private const int LengthBytes = 1000;
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(2);

    private readonly FakeTimeProvider _time = new();
    private readonly List<string> _told = [];
    private readonly SemaphoreSlim _asked = new(0);
    private readonly SemaphoreSlim _changed = new(0);
    private TaskCompletionSource _mayAnswer = new();
    private string _status = "saving";
    private WebApplication _glance = null!;
    private GlanceClient _client = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _mayAnswer.SetResult();
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        _glance = builder.Build();
        _glance.MapGet("/v2/images/{id}", () =>
        {
            _asked.Release();
            return Results.Json(new { status = _status });
        });
        _glance.MapPatch("/v2/images/{id}", async (HttpContext context) =>
        {
            using JsonDocument change = await JsonDocument.ParseAsync(context.Request.Body);
            _told.Add(change.RootElement[0].GetProperty("value").GetString()!);
            _changed.Release();
            await _mayAnswer.Task;
            return Results.Ok();
        });
        await _glance.StartAsync();
        var options = new StoresOptions { Glance = { Endpoint = _glance.Urls.First() } };
        _client = new GlanceClient(Options.Create(options), Options.Create(new NodeOptions()), TimeProvider.System);
    }

    public async ValueTask DisposeAsync()
    {
        _mayAnswer.TrySetResult();
        _client.Dispose();
        await _glance.StopAsync();
        await _glance.DisposeAsync();
        _asked.Dispose();
        _changed.Dispose();
    }

    [Fact(Timeout = 60_000)]
    public async Task The_percentage_is_of_all_the_work_on_the_disk()
    {
        await using GlanceProgress progress = Make(percentBefore: 50);
        await progress.WriteAsync(new byte[LengthBytes / 2], Cancellation);
        await TickAsync(_changed);

        Assert.Equal(["75"], _told);
    }

    [Fact(Timeout = 60_000)]
    public async Task Nothing_is_told_before_the_record_was_seen_saving()
    {
        _status = "queued";
        await using GlanceProgress progress = Make();
        await progress.WriteAsync(new byte[100], Cancellation);
        await TickAsync(_asked);
        Assert.Empty(_told);
        _status = "saving";
        await TickAsync(_changed);

        Assert.Equal(["10"], _told);
    }

    [Fact(Timeout = 60_000)]
    public async Task A_percentage_that_was_told_is_not_told_again()
    {
        await using GlanceProgress progress = Make();
        await progress.WriteAsync(new byte[100], Cancellation);
        await TickAsync(_changed);
        _time.Advance(Interval);
        await progress.WriteZerosAsync(100, Cancellation);
        await TickAsync(_changed);

        Assert.Equal(["10", "20"], _told);
    }

    [Theory(Timeout = 60_000)]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_last_bytes_wait_for_a_change_that_is_under_way_and_none_follows(bool endsWithZeros)
    {
        _mayAnswer = new TaskCompletionSource();
        var sink = new CountingSink();
        await using GlanceProgress progress = Make(sink: sink);
        await progress.WriteAsync(new byte[100], Cancellation);
        await TickAsync(_changed);

        Task last = endsWithZeros ? progress.WriteZerosAsync(900, Cancellation).AsTask() : progress.WriteAsync(new byte[900], Cancellation).AsTask();
        await Task.Delay(100, Cancellation);
        Assert.Equal((false, 100), (last.IsCompleted, sink.Bytes));
        _mayAnswer.SetResult();
        await last;
        _time.Advance(Interval);

        Assert.Equal(LengthBytes, sink.Bytes);
        Assert.Equal(["10"], _told);
    }

    // The loop may not wait on the clock yet when it is advanced.
    private async Task TickAsync(SemaphoreSlim seen)
    {
        do
        {
            _time.Advance(Interval);
        }
        while (!await seen.WaitAsync(20, Cancellation));
    }

    private GlanceProgress Make(int percentBefore = 0, CountingSink? sink = null) => new(
        _client,
        new ImageDescription(Guid.NewGuid(), "n", ImageFormat.Raw, LengthBytes, LengthBytes, new Dictionary<string, string>()) { PercentBefore = percentBefore },
        sink ?? new CountingSink(),
        _time);

    private sealed class CountingSink : IImageSink
    {
        public long Bytes { get; private set; }

        public ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken) => WriteZerosAsync(bytes.Length, cancellationToken);

        public ValueTask WriteZerosAsync(long lengthBytes, CancellationToken cancellationToken)
        {
            Bytes += lengthBytes;
            return ValueTask.CompletedTask;
        }
    }
}
