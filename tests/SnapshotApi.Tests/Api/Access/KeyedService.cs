using System.Text;
using System.Text.Json;
using SnapshotApi.Configuration;

namespace SnapshotApi.Tests.Api.Access;

/// <summary>A service, without its database, that has a key of each role.</summary>
public sealed class KeyedService : IAsyncDisposable
{
    private readonly ApiFactory _factory;

    public KeyedService()
        : this([])
    {
    }

    internal KeyedService(params (string Key, string Value)[] settings)
    {
        _factory = new ApiFactory([.. Keys(), .. settings]);
        Client = _factory.CreateClient(new() { AllowAutoRedirect = false });
    }

    public HttpClient Client { get; }

    public IServiceProvider Services => _factory.Services;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>The key of a role.</summary>
    public static string KeyOf(string role) => $"sapi_key-of-a-test-with-the-role-{role}";

    /// <summary>Sends a request.</summary>
    /// <param name="method">Method.</param>
    /// <param name="path">Path.</param>
    /// <param name="headers">Headers, each as name and value.</param>
    internal Task<HttpResponseMessage> SendAsync(
        string method, string path, params (string Name, string Value)[] headers)
    {
        var request = new HttpRequestMessage(new HttpMethod(method), path);
        if (method is "POST" or "PATCH")
        {
            request.Content = new StringContent("""{"name":"n"}""", Encoding.UTF8, "application/json");
        }

        foreach ((string name, string value) in headers)
        {
            Assert.True(request.Headers.TryAddWithoutValidation(name, value));
        }

        return Client.SendAsync(request, Cancellation);
    }

    /// <summary>Sends a request with a bearer key or token.</summary>
    internal Task<HttpResponseMessage> SendAsAsync(string key, string method, string path) =>
        SendAsync(method, path, ("Authorization", $"Bearer {key}"));

    /// <summary>The problem document of an answer, which must have that status and code.</summary>
    internal static async Task<JsonElement> ProblemAsync(HttpResponseMessage response, int status, string code)
    {
        string body = await response.Content.ReadAsStringAsync(Cancellation);
        Assert.True((int)response.StatusCode == status, $"{(int)response.StatusCode}: {body}");
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
        JsonElement problem = JsonElement.Parse(body);
        Assert.Equal(code, problem.GetProperty("code").GetString());
        return problem;
    }

    public ValueTask DisposeAsync()
    {
        Client.Dispose();
        return _factory.DisposeAsync();
    }

    private static IEnumerable<(string Key, string Value)> Keys()
    {
        string[] roles = ["reader", "operator", "admin"];
        return roles.SelectMany((role, i) => new[]
        {
            ($"Auth:ApiKeys:{i}:Name", $"{role}-of-tests"),
            ($"Auth:ApiKeys:{i}:Key", ApiKeyHash.Text(ApiKeyHash.Of(KeyOf(role)))),
            ($"Auth:ApiKeys:{i}:Role", role),
        });
    }
}
