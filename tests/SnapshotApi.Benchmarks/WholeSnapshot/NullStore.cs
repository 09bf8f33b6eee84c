using System.Net.Http.Json;
using System.Text.Json;
using SnapshotApi.Benchmarks.Images;
using SnapshotApi.Host;
using SnapshotApi.Images;
using SnapshotApi.Journal;
using SnapshotApi.Stores;
using SnapshotApi.Stores.Glance;

namespace SnapshotApi.Benchmarks.WholeSnapshot;

/// <summary>
/// Keeps nothing: images go to nowhere within this process, or over HTTP to a sink that throws them away. The service has no such store, since
/// what nobody holds can't be compared with what was read.
/// </summary>
/// <param name="name">Stands in for the store of this name.</param>
internal sealed class NullStore(string name) : IImageStore, IDisposable
{
    private static readonly TimeSpan SilenceLimit = TimeSpan.FromMinutes(2);

    private readonly HttpClient _http = new();

    /// <summary>Address of the sink; null: to nowhere.</summary>
    public string? Sink { get; set; }

    public string Name => name;

    public string DigestAlgorithm => "sha256";

    public bool IsConfigured => true;

    public bool TakesFiles => false;

    public IReadOnlyList<string> Problems(string name, IReadOnlyDictionary<string, string> properties) => [];

    public Task PrepareAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task<BaseImage?> FindBaseAsync(Guid imageId, CancellationToken cancellationToken) => Task.FromResult<BaseImage?>(null);

    public Task<bool> DeleteAsync(Guid imageId, CancellationToken cancellationToken) => Task.FromResult(true);

    public async Task<IImageUpload> BeginAsync(ImageDescription image, JobJournal journal, CancellationToken cancellationToken)
    {
        if (Sink is null)
        {
            return new NullUpload(this, image, null);
        }

        // A body of known length: the sink knows no chunks.
        using var fields = new StringContent(JsonSerializer.Serialize(new { name = image.Name, sink = "null" }));
        using HttpResponseMessage record = await _http.PostAsync($"{Sink}/v2/images", fields, cancellationToken);
        JsonElement made = await record.Content.ReadFromJsonAsync<JsonElement>(cancellationToken);
        var transfer = new GlanceTransfer(image.LengthBytes, SilenceLimit, TimeProvider.System);
        if (await transfer.OpenAsync($"{Sink}/v2/images/{made.GetProperty("id").GetString()}/file", null, cancellationToken) is { } refusal)
        {
            throw new InvalidOperationException($"the sink answered {refusal.Status}");
        }

        return new NullUpload(this, image, transfer);
    }

    public void Dispose() => _http.Dispose();

    private sealed class NullUpload(NullStore store, ImageDescription image, GlanceTransfer? transfer) : IImageUpload
    {
        public IImageSink Sink { get; } = transfer is null ? new DiscardingSink() : transfer;

        public IImageFile? File => null;

        public SpaceWatch? Space => null;

        public async Task<StoredImage> PublishAsync(Digest digest, CancellationToken cancellationToken)
        {
            if (transfer is not null)
            {
                await transfer.FinishAsync(cancellationToken);
            }

            return new StoredImage(image.Id, store.Name, "nowhere", image.Format, image.LengthBytes, digest);
        }

        public ValueTask DisposeAsync() => transfer?.DisposeAsync() ?? ValueTask.CompletedTask;
    }
}
