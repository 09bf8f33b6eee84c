using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using SnapshotApi.Api.Access;
using SnapshotApi.Configuration;
using SnapshotApi.Errors;
using SnapshotApi.Tests.Api.Nova;

namespace SnapshotApi.Tests.Api.Access;

public sealed class KeystoneTokensTests : IAsyncLifetime
{
    private readonly FakeTimeProvider _time = new(DateTimeOffset.UtcNow);
    private FakeKeystone _keystone = null!;
    private KeystoneTokens _tokens = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _keystone = await FakeKeystone.StartAsync();
        _keystone.Known["good"] = ["member", "reader"];
        _tokens = Make(cacheSeconds: 60);
    }

    public async ValueTask DisposeAsync()
    {
        _tokens.Dispose();
        await _keystone.DisposeAsync();
    }

    [Fact(Timeout = 60_000)]
    public async Task A_token_is_of_a_user_in_a_project_with_roles()
    {
        KeystoneIdentity? identity = await _tokens.FindAsync("good", isAskedAnew: false, Cancellation);

        Assert.NotNull(identity);
        Assert.Equal(("u1", "demo", "p1"), (identity.UserId, identity.UserName, identity.ProjectId));
        Assert.Equal(["member", "reader"], identity.Roles);
    }

    [Theory(Timeout = 60_000)]
    [InlineData("unknown")]
    [InlineData("with blank")]
    [InlineData("with\u00fcmlaut")]
    public async Task A_token_of_nobody_is_none(string token)
    {
        Assert.Null(await _tokens.FindAsync(token, isAskedAnew: false, Cancellation));
    }

    [Fact(Timeout = 60_000)]
    public async Task What_was_told_is_believed_for_a_while_when_somebody_only_looks()
    {
        Assert.NotNull(await _tokens.FindAsync("good", isAskedAnew: false, Cancellation));
        _keystone.Known.Clear();
        _time.Advance(TimeSpan.FromSeconds(59));
        Assert.NotNull(await _tokens.FindAsync("good", isAskedAnew: false, Cancellation));
        Assert.Equal(1, _keystone.Asked);
        _time.Advance(TimeSpan.FromSeconds(2));
        Assert.Null(await _tokens.FindAsync("good", isAskedAnew: false, Cancellation));
    }

    [Fact(Timeout = 60_000)]
    public async Task A_revoked_token_is_refused_at_once_where_something_is_to_be_changed_and_forgotten()
    {
        Assert.NotNull(await _tokens.FindAsync("good", isAskedAnew: false, Cancellation));
        _keystone.Known.Clear();

        Assert.Null(await _tokens.FindAsync("good", isAskedAnew: true, Cancellation));
        Assert.Null(await _tokens.FindAsync("good", isAskedAnew: false, Cancellation));
    }

    [Fact(Timeout = 60_000)]
    public async Task Nothing_is_believed_longer_than_the_token_lives()
    {
        _keystone.ExpiresAt = _time.GetUtcNow().AddSeconds(10);
        Assert.NotNull(await _tokens.FindAsync("good", isAskedAnew: false, Cancellation));

        _time.Advance(TimeSpan.FromSeconds(11));

        Assert.Null(await _tokens.FindAsync("good", isAskedAnew: false, Cancellation));
    }

    [Fact(Timeout = 60_000)]
    public async Task Our_own_token_is_renewed_when_it_is_refused()
    {
        Assert.NotNull(await _tokens.FindAsync("good", isAskedAnew: false, Cancellation));
        _keystone.IsOwnRefused = true;

        Assert.NotNull(await _tokens.FindAsync("good", isAskedAnew: true, Cancellation));
        Assert.Equal(2, _keystone.Given);
    }

    [Fact(Timeout = 60_000)]
    public async Task A_connection_that_is_cut_is_tried_once_more()
    {
        _keystone.Cuts = 1;
        Assert.NotNull(await _tokens.FindAsync("good", isAskedAnew: false, Cancellation));

        _keystone.Cuts = 2;
        SnapshotException failure = await Assert.ThrowsAsync<SnapshotException>(
            () => _tokens.FindAsync("good", isAskedAnew: true, Cancellation));
        Assert.Contains("Keystone", failure.Message, StringComparison.Ordinal);
    }

    [Theory(Timeout = 60_000)]
    [InlineData(403)]
    [InlineData(500)]
    public async Task What_Keystone_does_not_tell_is_a_failure_not_a_bad_token(int status)
    {
        _keystone.Status = status;

        SnapshotException failure = await Assert.ThrowsAsync<SnapshotException>(
            () => _tokens.FindAsync("good", isAskedAnew: false, Cancellation));

        Assert.Equal($"Keystone does not validate tokens: {status} as told", failure.Message);
    }

    private KeystoneTokens Make(int cacheSeconds) => new(
        Options.Create(new NovaOptions
        {
            Keystone = new KeystoneOptions("Nova:Keystone")
            {
                Url = _keystone.Url,
                Username = "s",
                Password = "secret",
                Project = "service",
            },
            TokenCacheSeconds = cacheSeconds,
        }),
        _time);
}
