using Microsoft.Extensions.Options;
using SnapshotApi.Configuration;
using SnapshotApi.Errors;
using SnapshotApi.Stores.Glance;
using SnapshotApi.Tests.Nbd;

namespace SnapshotApi.Tests.Stores.Glance;

/// <summary>What can go wrong with a server, injected: the rest is tested on a real Glance.</summary>
public sealed class GlanceClientTests
{
    private const long LengthBytes = 64 << 20;
    private static readonly Guid Id = Guid.Parse("11111111-2222-3333-4444-555555555555");

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact(Timeout = 60_000)]
    public async Task A_file_is_asked_for_first_and_sent_with_its_exact_length()
    {
        await using var peer = new ScriptedPeer(async c =>
        {
            await c.ReadHeadAsync();
            await c.ContinueAsync();
            await c.ReadAsync(LengthBytes);
            await c.AnswerAsync(204);
        });
        using GlanceClient client = Client(peer);

        await using GlanceTransfer transfer = await client.OpenFileAsync(Id, LengthBytes, Cancellation);
        await SendAsync(transfer);
        await transfer.FinishAsync(Cancellation);

        string head = Assert.Single(peer.Heads);
        Assert.StartsWith($"PUT /v2/images/{Id}/file HTTP/1.1\r\n", head, StringComparison.Ordinal);
        Assert.Contains("Expect: 100-continue\r\n", head, StringComparison.Ordinal);
        Assert.Contains($"Content-Length: {LengthBytes}\r\n", head, StringComparison.Ordinal);
        Assert.Contains($"x-openstack-image-size: {LengthBytes}\r\n", head, StringComparison.Ordinal);
        Assert.Contains("Content-Type: application/octet-stream\r\n", head, StringComparison.Ordinal);
    }

    [Theory(Timeout = 60_000)]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_refusal_in_mid_upload_is_seen_at_once_whether_the_server_closes_or_just_reads_no_more(bool closes)
    {
        await using var peer = new ScriptedPeer(async c =>
        {
            await c.ReadHeadAsync();
            await c.ContinueAsync();
            await c.ReadAsync(1 << 20);
            await c.AnswerAsync(413, """{"message": "The <b>quota</b> is used up.<br />\n"}""");
            if (!closes)
            {
                await c.HangAsync();
            }
        });
        using GlanceClient client = Client(peer);
        await using GlanceTransfer transfer = await client.OpenFileAsync(Id, LengthBytes, Cancellation);

        SnapshotException failure = await Assert.ThrowsAsync<SnapshotException>(() => SendAsync(transfer));

        // A close with unread data resets the connection: then the answer may be lost with it, and nothing else can be told.
        Assert.True(
            failure.Code == SnapshotErrorCode.QuotaExceeded && failure.Message.EndsWith("413 The quota is used up.", StringComparison.Ordinal)
            || closes && failure is { Code: SnapshotErrorCode.StoreFailed, IsTransient: true },
            failure.ToString());
    }

    [Theory(Timeout = 60_000)]
    [InlineData(404, "ImageDeleted", false)]
    [InlineData(410, "ImageDeleted", false)]
    [InlineData(409, "StoreFailed", false)]
    [InlineData(403, "StoreFailed", false)]
    [InlineData(401, "StoreFailed", false)]
    [InlineData(413, "QuotaExceeded", false)]
    [InlineData(415, "StoreFailed", false)]
    [InlineData(307, "StoreFailed", false)]
    [InlineData(500, "StoreFailed", true)]
    [InlineData(503, "StoreFailed", true)]
    public async Task Each_refusal_before_the_file_is_its_own_outcome(int status, string code, bool isTransient)
    {
        await using var peer = new ScriptedPeer(async c =>
        {
            await c.ReadHeadAsync();
            await c.AnswerAsync(status, "words", "Location: http://192.0.2.1/\r\n");
        });
        using GlanceClient client = Client(peer);

        SnapshotException failure = await Assert.ThrowsAsync<SnapshotException>(() => client.OpenFileAsync(Id, LengthBytes, Cancellation));

        Assert.Equal((Enum.Parse<SnapshotErrorCode>(code), isTransient), (failure.Code, failure.IsTransient));
        Assert.Contains($"{status} words", failure.Message, StringComparison.Ordinal);
        Assert.Single(peer.Heads);
    }

    [Fact(Timeout = 60_000)]
    public async Task A_full_store_is_no_space_and_no_quota()
    {
        await using var peer = new ScriptedPeer(async c =>
        {
            await c.ReadHeadAsync();
            await c.ContinueAsync();
            await c.ReadAsync(LengthBytes);
            await c.AnswerAsync(413, """{"message": "Image storage media is full: There is not enough disk space on the image storage media."}""");
        });
        using GlanceClient client = Client(peer);
        await using GlanceTransfer transfer = await client.OpenFileAsync(Id, LengthBytes, Cancellation);
        await SendAsync(transfer);

        Assert.Equal(SnapshotErrorCode.NoSpace, (await Assert.ThrowsAsync<SnapshotException>(() => transfer.FinishAsync(Cancellation))).Code);
    }

    [Fact(Timeout = 60_000)]
    public async Task A_cut_connection_is_worth_another_try()
    {
        await using var peer = new ScriptedPeer(async c =>
        {
            await c.ReadHeadAsync();
            await c.ContinueAsync();
            await c.ReadAsync(1 << 20);
            c.Reset();
        });
        using GlanceClient client = Client(peer);
        await using GlanceTransfer transfer = await client.OpenFileAsync(Id, LengthBytes, Cancellation);

        SnapshotException failure = await Assert.ThrowsAsync<SnapshotException>(() => SendAsync(transfer));

        Assert.Equal(("the connection to Glance was cut", SnapshotErrorCode.StoreFailed, true), (failure.Message, failure.Code, failure.IsTransient));
    }

    [Fact(Timeout = 60_000)]
    public async Task A_server_that_is_silent_after_the_file_has_timed_out()
    {
        await using var peer = new ScriptedPeer(async c =>
        {
            await c.ReadHeadAsync();
            await c.ContinueAsync();
            await c.ReadAsync(LengthBytes);
            await c.HangAsync();
        });
        using GlanceClient client = Client(peer, silenceLimit: TimeSpan.FromSeconds(1));
        await using GlanceTransfer transfer = await client.OpenFileAsync(Id, LengthBytes, Cancellation);
        await SendAsync(transfer);

        SnapshotException failure = await Assert.ThrowsAsync<SnapshotException>(() => transfer.FinishAsync(Cancellation));

        Assert.Equal((SnapshotErrorCode.TimedOut, "Glance was silent for 1 s"), (failure.Code, failure.Message));
    }

    [Fact(Timeout = 60_000)]
    public async Task A_write_to_a_server_that_reads_no_more_ends_with_its_token()
    {
        await using var peer = new ScriptedPeer(async c =>
        {
            await c.ReadHeadAsync();
            await c.ContinueAsync();
            await c.HangAsync();
        });
        using GlanceClient client = Client(peer);
        await using GlanceTransfer transfer = await client.OpenFileAsync(Id, LengthBytes, Cancellation);
        using var stall = new CancellationTokenSource(TimeSpan.FromMilliseconds(500));

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => SendAsync(transfer, stall.Token));
    }

    [Fact(Timeout = 60_000)]
    public async Task A_PUT_that_is_refused_with_401_is_repeated_with_the_token_that_replaced_it()
    {
        using var scratch = new ScratchDirectory();
        string file = scratch.File("token");
        await File.WriteAllTextAsync(file, "old\n", Cancellation);
        await using var peer = new ScriptedPeer(
            async c =>
            {
                await c.ReadHeadAsync();
                await File.WriteAllTextAsync(file, "new\n", Cancellation);
                await c.AnswerAsync(401);
            },
            async c =>
            {
                await c.ReadHeadAsync();
                await c.ContinueAsync();
                await c.ReadAsync(LengthBytes);
                await c.AnswerAsync(204);
            });
        using GlanceClient client = Client(peer, o => o.TokenFile = file);

        await using GlanceTransfer transfer = await client.OpenFileAsync(Id, LengthBytes, Cancellation);
        await SendAsync(transfer);
        await transfer.FinishAsync(Cancellation);

        Assert.Contains("X-Auth-Token: old\r\n", peer.Heads[0], StringComparison.Ordinal);
        Assert.Contains("X-Auth-Token: new\r\n", peer.Heads[1], StringComparison.Ordinal);
    }

    [Fact(Timeout = 60_000)]
    public async Task A_redirect_is_not_followed_and_gets_no_token()
    {
        await using var elsewhere = new ScriptedPeer(c => c.ReadHeadAsync());
        await using var peer = new ScriptedPeer(async c =>
        {
            await c.ReadRequestAsync();
            await c.AnswerAsync(302, "", $"Location: {elsewhere.Address}/\r\n");
        });
        using GlanceClient client = Client(peer, o => o.Token = "secret");

        SnapshotException failure = await Assert.ThrowsAsync<SnapshotException>(() => client.CreateAsync([], Cancellation));

        Assert.Equal(SnapshotErrorCode.StoreFailed, failure.Code);
        Assert.Empty(elsewhere.Heads);
        Assert.DoesNotContain("secret", failure.ToString(), StringComparison.Ordinal);
    }

    [Theory(Timeout = 60_000)]
    [InlineData(302)]
    [InlineData(307)]
    public async Task A_Keystone_that_sends_us_elsewhere_gets_the_password_to_nobody_else(int status)
    {
        await using var elsewhere = new ScriptedPeer(c => c.ReadHeadAsync());
        await using var keystone = new ScriptedPeer(async c =>
        {
            await c.ReadRequestAsync();
            await c.AnswerAsync(status, "", $"Location: {elsewhere.Address}/v3/auth/tokens\r\n");
        });
        await using var glance = new ScriptedPeer(c => c.ReadHeadAsync());
        using GlanceClient client = Client(
            glance, o => o.Keystone = new KeystoneOptions("Keystone") { Url = keystone.Address, Username = "u", Password = "secret", Project = "p" });

        SnapshotException failure = await Assert.ThrowsAsync<SnapshotException>(() => client.CheckAsync(Cancellation));

        Assert.Equal((SnapshotErrorCode.StoreFailed, false), (failure.Code, failure.IsTransient));
        Assert.Empty(elsewhere.Heads);
        Assert.Empty(glance.Heads);
        Assert.DoesNotContain("secret", failure.ToString(), StringComparison.Ordinal);
    }

    [Fact(Timeout = 60_000)]
    public async Task A_proxy_of_the_environment_is_not_used()
    {
        using SocketsHttpHandler handler = GlanceClient.NewHandler();

        Assert.Equal((false, false, false), (handler.UseProxy, handler.AllowAutoRedirect, handler.UseCookies));
        await using var peer = new ScriptedPeer(async c =>
        {
            await c.ReadRequestAsync();
            await c.AnswerAsync(200, "{}");
        });
        using GlanceClient client = Client(peer);
        await client.CheckAsync(Cancellation);
        Assert.StartsWith("GET /v2/images?limit=1 HTTP/1.1", Assert.Single(peer.Heads), StringComparison.Ordinal);
    }

    [Fact(Timeout = 60_000)]
    public async Task An_image_that_is_gone_is_deleted_already_and_one_that_is_protected_is_not()
    {
        await using var peer = new ScriptedPeer(async c =>
        {
            await c.ReadRequestAsync();
            await c.AnswerAsync(404);
            await c.ReadRequestAsync();
            await c.AnswerAsync(204);
            await c.ReadRequestAsync();
            await c.AnswerAsync(403, """{"message": "Image is protected and cannot be deleted."}""");
        });
        using GlanceClient client = Client(peer);

        Assert.False(await client.DeleteAsync(Id, Cancellation));
        Assert.True(await client.DeleteAsync(Id, Cancellation));
        SnapshotException failure = await Assert.ThrowsAsync<SnapshotException>(() => client.DeleteAsync(Id, Cancellation));

        Assert.Equal("Glance forbids it: 403 Image is protected and cannot be deleted.", failure.Message);
    }

    [Fact(Timeout = 60_000)]
    public async Task Pages_that_are_shorter_than_was_asked_for_are_all_read()
    {
        Guid[] ids = [.. Enumerable.Range(0, 3).Select(_ => Guid.NewGuid())];
        await using var peer = new ScriptedPeer(async c =>
        {
            await c.ReadRequestAsync();
            await c.AnswerAsync(200, $$"""{"images": [{"id": "{{ids[0]}}"}, {"id": "{{ids[1]}}"}], "next": "/v2/images?marker={{ids[1]}}"}""");
            await c.ReadRequestAsync();
            await c.AnswerAsync(200, $$"""{"images": [{"id": "{{ids[2]}}"}]}""");
        });
        using GlanceClient client = Client(peer);

        IReadOnlyList<Guid> found = await client.ListActiveAsync("p", new Dictionary<string, string>(), Cancellation);

        Assert.Equal(ids, found);
        Assert.Contains($"marker={ids[1]:D}", peer.Heads[1], StringComparison.Ordinal);
    }

    private static GlanceClient Client(ScriptedPeer peer, Action<GlanceStoreOptions>? configure = null, TimeSpan? silenceLimit = null)
    {
        var options = new StoresOptions { Glance = { Endpoint = peer.Address } };
        configure?.Invoke(options.Glance);
        return new GlanceClient(
            Options.Create(options), Options.Create(new NodeOptions { StallTimeout = silenceLimit ?? TimeSpan.FromSeconds(30) }), TimeProvider.System);
    }

    private static async Task SendAsync(GlanceTransfer transfer, CancellationToken? cancellation = null)
    {
        CancellationToken token = cancellation ?? Cancellation;
        var piece = new byte[1 << 20];
        for (long sent = 0; sent < LengthBytes / 2; sent += piece.Length)
        {
            await transfer.WriteAsync(piece, token);
        }

        await transfer.WriteZerosAsync(LengthBytes / 2, token);
    }
}
