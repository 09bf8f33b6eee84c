namespace SnapshotApi.Tests.Api;

/// <summary>One service for all tests of a class.</summary>
public sealed class ApiFixture : IAsyncDisposable
{
    private readonly ApiFactory _factory = new();

    public ApiFixture() => Client = _factory.CreateClient(new() { AllowAutoRedirect = false });

    /// <summary>Talks to it; redirections are shown, not followed.</summary>
    public HttpClient Client { get; }

    /// <summary>What it is made of.</summary>
    public IServiceProvider Services => _factory.Services;

    public ValueTask DisposeAsync()
    {
        Client.Dispose();
        return _factory.DisposeAsync();
    }
}
