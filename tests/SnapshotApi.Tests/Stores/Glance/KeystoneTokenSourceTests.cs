using System.Globalization;
using Microsoft.Extensions.Time.Testing;
using SnapshotApi.Configuration;
using SnapshotApi.Errors;
using SnapshotApi.Stores.Glance;

namespace SnapshotApi.Tests.Stores.Glance;

public sealed class KeystoneTokenSourceTests
{
    private static readonly DateTimeOffset Now = new(2026, 1, 1, 12, 0, 0, TimeSpan.Zero);

    private readonly FakeTimeProvider _time = new(Now);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact(Timeout = 60_000)]
    public async Task A_token_is_kept_until_shortly_before_it_expires()
    {
        await using var peer = new ScriptedPeer(GiveAsync("one", Now.AddHours(1)), GiveAsync("two", Now.AddHours(2)));
        using var http = new HttpClient();
        using KeystoneTokenSource tokens = Tokens(peer, http);

        Assert.Equal("one", await tokens.GetAsync(Cancellation));
        _time.SetUtcNow(Now.AddMinutes(58));
        Assert.Equal("one", await tokens.GetAsync(Cancellation));
        _time.SetUtcNow(Now.AddMinutes(59).AddSeconds(1));
        Assert.Equal("two", await tokens.GetAsync(Cancellation));
        Assert.Equal(2, peer.Heads.Count);
    }

    [Fact(Timeout = 60_000)]
    public async Task A_refused_token_is_replaced_once_however_many_have_met_the_refusal()
    {
        await using var peer = new ScriptedPeer(GiveAsync("one", Now.AddHours(1)), GiveAsync("two", Now.AddHours(1)));
        using var http = new HttpClient();
        using KeystoneTokenSource tokens = Tokens(peer, http);
        string? first = await tokens.GetAsync(Cancellation);

        Assert.True(tokens.Refuse(first));
        Assert.Equal("two", await tokens.GetAsync(Cancellation));
        Assert.True(tokens.Refuse(first));
        Assert.Equal("two", await tokens.GetAsync(Cancellation));
    }

    [Theory(Timeout = 60_000)]
    [InlineData(401, false)]
    [InlineData(503, true)]
    public async Task No_token_is_a_failure_in_Keystones_words_without_the_secret(int status, bool isTransient)
    {
        await using var peer = new ScriptedPeer(async c =>
        {
            await c.ReadRequestAsync();
            await c.AnswerAsync(status, """{"error": {"message": "The request you have made requires authentication."}}""");
        });
        using var http = new HttpClient();
        using KeystoneTokenSource tokens = Tokens(peer, http);

        SnapshotException failure = await Assert.ThrowsAsync<SnapshotException>(() => tokens.GetAsync(Cancellation));

        Assert.Equal($"Keystone gave no token: {status} The request you have made requires authentication.", failure.Message);
        Assert.Equal(isTransient, failure.IsTransient);
        Assert.DoesNotContain("hunter2", failure.ToString(), StringComparison.Ordinal);
    }

    private static Func<ScriptedConnection, Task> GiveAsync(string token, DateTimeOffset expiresAt) => async c =>
    {
        await c.ReadRequestAsync();
        string at = expiresAt.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'", CultureInfo.InvariantCulture);
        await c.AnswerAsync(201, $$$"""{"token": {"expires_at": "{{{at}}}"}}""", $"X-Subject-Token: {token}\r\nConnection: close\r\n");
    };

    private KeystoneTokenSource Tokens(ScriptedPeer peer, HttpClient http) => new(
        new KeystoneOptions("Keystone") { Url = peer.Address, Username = "u", Password = "hunter2", Project = "p" }, http, TimeSpan.FromSeconds(30), _time);
}
