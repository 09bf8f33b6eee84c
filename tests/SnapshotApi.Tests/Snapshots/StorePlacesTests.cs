using Microsoft.Extensions.Options;
using SnapshotApi.Configuration;
using SnapshotApi.Snapshots;

namespace SnapshotApi.Tests.Snapshots;

public sealed class StorePlacesTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Who_finds_a_store_full_waits_until_a_place_is_free_and_says_so()
    {
        StorePlaces places = Places(glance: 2);
        int waited = 0;
        IDisposable? first = await places.EnterAsync("glance", _ => waited++, Cancellation);
        IDisposable? second = await places.EnterAsync("glance", _ => waited++, Cancellation);
        Assert.Equal(0, waited);

        Task<IDisposable?> third = places.EnterAsync("glance", limit => waited += limit, Cancellation);
        Assert.False(third.IsCompleted);
        Assert.Equal(2, waited);

        first!.Dispose();
        first.Dispose();
        Assert.NotNull(await third);
        Assert.False(places.EnterAsync("glance", _ => { }, Cancellation).IsCompleted);
        second!.Dispose();
    }

    [Fact]
    public async Task A_store_without_a_limit_always_has_a_place_and_a_full_one_holds_up_no_other()
    {
        StorePlaces places = Places(glance: 1);
        using IDisposable? taken = await places.EnterAsync("glance", _ => { }, Cancellation);

        for (int i = 0; i < 100; i++)
        {
            Assert.True(places.EnterAsync("directory", _ => { }, Cancellation).IsCompletedSuccessfully);
        }
    }

    [Fact]
    public async Task Who_gives_up_waiting_takes_no_place()
    {
        StorePlaces places = Places(glance: 1);
        IDisposable? taken = await places.EnterAsync("glance", _ => { }, Cancellation);
        using var cancel = new CancellationTokenSource();
        Task<IDisposable?> waiting = places.EnterAsync("glance", _ => { }, cancel.Token);

        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);

        taken!.Dispose();
        Assert.True(places.EnterAsync("glance", _ => { }, Cancellation).IsCompletedSuccessfully);
    }

    private static StorePlaces Places(int glance)
    {
        var options = new StoresOptions();
        options.Glance.MaxJobs = glance;
        return new StorePlaces(Options.Create(options));
    }
}
