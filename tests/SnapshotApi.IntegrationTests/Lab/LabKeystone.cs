using System.Net.Http.Headers;
using System.Text.Json;

namespace SnapshotApi.IntegrationTests.Lab;

/// <summary>The real Keystone of a lab with <c>--openstack</c>, as its administrator.</summary>
internal sealed class LabKeystone : IDisposable
{
    private readonly HttpClient _http;
    private readonly string _directory;

    private LabKeystone(string directory, string url)
    {
        (_directory, Url) = (directory, url);

        // uwsgi closes a connection that was opened in advance and not used for four seconds; .NET takes it for good.
        _http = new HttpClient(new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.Zero }) { BaseAddress = new Uri($"{url}/") };
    }

    /// <summary>Where it is.</summary>
    public string Url { get; }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public static async Task<LabKeystone> OpenAsync()
    {
        string directory = Path.Combine(Requires.LabDirectory(), "keystone");
        if (!Directory.Exists(directory))
        {
            Requires.Variable("a lab with --openstack");
        }

        string port = (await File.ReadAllTextAsync(Path.Combine(directory, "port"), Cancellation)).Trim();
        var keystone = new LabKeystone(directory, $"http://127.0.0.1:{port}/v3");
        string password = await File.ReadAllTextAsync(Path.Combine(directory, "admin.password"), Cancellation);
        keystone._http.DefaultRequestHeaders.Add("X-Auth-Token", await keystone.LogInAsync("admin", password, "admin"));
        return keystone;
    }

    /// <summary>A token of the administrator, or of another user.</summary>
    public async Task<string> LogInAsync(string user, string password, string project)
    {
        var domain = new { name = "Default" };
        using HttpResponseMessage answer = await _http.PostAsync("auth/tokens", Content(new
        {
            auth = new
            {
                identity = new { methods = new[] { "password" }, password = new { user = new { name = user, domain, password } } },
                scope = new { project = new { name = project, domain } },
            },
        }), Cancellation);
        answer.EnsureSuccessStatusCode();
        return answer.Headers.GetValues("X-Subject-Token").Single();
    }

    /// <summary>Makes a member of the project demo.</summary>
    public async Task<Guid> AddUserAsync(string name, string password)
    {
        string project = await IdAsync("project", "demo");
        string user = (await SendAsync(HttpMethod.Post, "users", new { user = new { name, password, domain_id = "default" } }))
            .GetProperty("user").GetProperty("id").GetString()!;
        foreach (string role in new[] { "member", "reader" })
        {
            await SendAsync(HttpMethod.Put, $"projects/{project}/users/{user}/roles/{await IdAsync("role", role)}", null);
        }

        return Guid.ParseExact(user, "N");
    }

    /// <summary>Sets a user's password; all his tokens are void with that.</summary>
    public Task SetPasswordAsync(Guid user, string password) =>
        SendAsync(HttpMethod.Patch, $"users/{user:N}", new { user = new { password } });

    /// <summary>Removes a user.</summary>
    public Task RemoveUserAsync(Guid user) => SendAsync(HttpMethod.Delete, $"users/{user:N}", null);

    /// <summary>The application credential that the lab has made.</summary>
    public async Task<(string Id, string Secret)> CredentialAsync()
    {
        using JsonDocument document = JsonDocument.Parse(await File.ReadAllTextAsync(Path.Combine(_directory, "credential.json"), Cancellation));
        return (document.RootElement.GetProperty("id").GetString()!, document.RootElement.GetProperty("secret").GetString()!);
    }

    public void Dispose() => _http.Dispose();

    // Of known length: Keystone under uwsgi takes a chunked body for none.
    private static StringContent Content(object body) => new(JsonSerializer.Serialize(body), new MediaTypeHeaderValue("application/json"));

    private async Task<string> IdAsync(string kind, string name) =>
        (await SendAsync(HttpMethod.Get, $"{kind}s?name={name}", null)).GetProperty($"{kind}s")[0].GetProperty("id").GetString()!;

    private async Task<JsonElement> SendAsync(HttpMethod method, string path, object? body)
    {
        using var request = new HttpRequestMessage(method, path);
        request.Content = body is null ? null : Content(body);
        using HttpResponseMessage answer = await _http.SendAsync(request, Cancellation);
        string text = await answer.Content.ReadAsStringAsync(Cancellation);
        Assert.True(answer.IsSuccessStatusCode, $"{method} {path}: {(int)answer.StatusCode} {text}");
        return text.Length > 0 ? JsonElement.Parse(text) : default;
    }
}
