using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using SnapshotApi.Images;

namespace SnapshotApi.Stores.Glance;

/// <summary>
/// Shows on a record how far its upload is: in the property <c>progress</c>, which the <c>nova</c> client prints.
/// </summary>
/// <remarks>
/// A change of a record writes its status back as it was read. One that met the moment in which Glance makes the record
/// <c>saving</c> or <c>active</c> would undo that. So none is made before the record was seen <c>saving</c>, and none
/// is under way when the last bytes are sent.
/// </remarks>
internal sealed class GlanceProgress : IImageSink, IAsyncDisposable
{
    /// <summary>The property.</summary>
    public const string Property = "progress";

    // The client looks every five seconds; two changes in that time leave no look without news.
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(2);

    private readonly GlanceClient _client;
    private readonly ImageDescription _image;
    private readonly IImageSink _inner;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _ended = new();
    private readonly Task _telling;
    private long _sentBytes;

    /// <param name="client">Changes the record.</param>
    /// <param name="image">The image.</param>
    /// <param name="inner">Receives the file; stays the caller's.</param>
    /// <param name="time">Clock.</param>
    public GlanceProgress(GlanceClient client, ImageDescription image, IImageSink inner, TimeProvider time)
    {
        (_client, _image, _inner, _time) = (client, image, inner, time);
        _telling = TellAsync(_ended.Token);
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        if (_sentBytes + bytes.Length >= _image.LengthBytes)
        {
            await EndAsync().ConfigureAwait(false);
        }

        await _inner.WriteAsync(bytes, cancellationToken).ConfigureAwait(false);
        Volatile.Write(ref _sentBytes, _sentBytes + bytes.Length);
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public async ValueTask WriteZerosAsync(long lengthBytes, CancellationToken cancellationToken)
    {
        if (_sentBytes + lengthBytes >= _image.LengthBytes)
        {
            await EndAsync().ConfigureAwait(false);
        }

        await _inner.WriteZerosAsync(lengthBytes, cancellationToken).ConfigureAwait(false);
        Volatile.Write(ref _sentBytes, _sentBytes + lengthBytes);
    }

    public async ValueTask DisposeAsync()
    {
        await EndAsync().ConfigureAwait(false);
        _ended.Dispose();
    }

    /// <summary>Tells no more; a change that is under way has ended when the task has.</summary>
    private async Task EndAsync()
    {
        await _ended.CancelAsync().ConfigureAwait(false);
        await _telling.ConfigureAwait(false);
    }

    private async Task TellAsync(CancellationToken ended)
    {
        bool isSaving = false;
        int? told = null;
        while (!ended.IsCancellationRequested)
        {
            await Task.Delay(Interval, _time, ended).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            int percent = Percent();
            if (ended.IsCancellationRequested || percent == told)
            {
                continue;
            }

            try
            {
                // A change that was begun is waited for, whatever ends meanwhile: cut, it might still come.
                isSaving = isSaving
                    || (
                        await _client.FindAsync(_image.Id, CancellationToken.None).ConfigureAwait(
                            false))?.Status == "saving";
                if (isSaving && !ended.IsCancellationRequested)
                {
                    JsonObject change = GlanceRecord.Set(
                        Property,
                        percent.ToString(System.Globalization.CultureInfo.InvariantCulture),
                        isThere: told is not null);
                    await _client.ChangeAsync(_image.Id, new JsonArray(change), CancellationToken.None)
                        .ConfigureAwait(false);
                    told = percent;
                }
            }
            catch (SnapshotException e) when (e.Code != SnapshotErrorCode.InternalError)
            {
                // What is wrong with Glance the upload meets as well, and tells; a percentage less is no harm.
                isSaving = false;
            }
        }
    }

    private int Percent()
    {
        long sentBytes = Volatile.Read(ref _sentBytes);
        int sent = _image.LengthBytes > 0 ? (int)(sentBytes * 100m / _image.LengthBytes) : 0;
        return Math.Min(99, _image.PercentBefore + ((100 - _image.PercentBefore) * sent / 100));
    }
}
