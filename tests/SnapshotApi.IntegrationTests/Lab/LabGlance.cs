using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;

namespace SnapshotApi.IntegrationTests.Lab;

/// <summary>A real Glance of the lab; one of its own is removed when it is disposed.</summary>
internal sealed class LabGlance : IAsyncDisposable
{
    private readonly string _name;
    private readonly bool _isOwn;

    private LabGlance(string name, bool isOwn, string endpoint)
    {
        (_name, _isOwn, Endpoint) = (name, isOwn, endpoint);
        Http = new HttpClient { BaseAddress = new Uri($"{endpoint}/v2/") };
    }

    /// <summary>Where it is.</summary>
    public string Endpoint { get; }

    /// <summary>Its port on this host.</summary>
    public int Port => new Uri(Endpoint).Port;

    /// <summary>Talks to it, past what is tested.</summary>
    public HttpClient Http { get; }

    /// <summary>The one that every lab with <c>--glance</c> has; for tests that neither stop nor fill it.</summary>
    public static LabGlance Shared() => new("main", isOwn: false, Requires.Variable("Stores__Glance__Endpoint"));

    /// <summary>The one in the catalog of a lab with <c>--openstack</c>; it asks Keystone who somebody is.</summary>
    public static async Task<LabGlance> OfCloudAsync() => new("cloud", isOwn: false, await LabAsync("cloud", "--endpoint"));

    /// <summary>One of its own.</summary>
    /// <param name="arguments">Arguments of <c>scripts/lab glance</c>.</param>
    public static async Task<LabGlance> StartAsync(params string[] arguments)
    {
        Requires.LabDirectory();
        string name = $"t{Guid.NewGuid():N}"[..12];
        return new LabGlance(name, isOwn: true, await LabAsync([name, .. arguments]));
    }

    /// <summary>Tells it who asks.</summary>
    public LabGlance As(string token)
    {
        Http.DefaultRequestHeaders.Add("X-Auth-Token", token);
        return this;
    }

    /// <summary>A record that must be there.</summary>
    public async Task<JsonElement> RecordAsync(Guid id) =>
        JsonElement.Parse(await Http.GetStringAsync($"images/{id}", TestContext.Current.CancellationToken));

    /// <summary>Status of the answer for a record.</summary>
    public async Task<HttpStatusCode> StatusAsync(Guid id)
    {
        using HttpResponseMessage answer = await Http.GetAsync($"images/{id}", TestContext.Current.CancellationToken);
        return answer.StatusCode;
    }

    /// <summary>Ids of the records of that name, whatever their state.</summary>
    public async Task<IReadOnlyList<Guid>> IdsAsync(string name)
    {
        JsonElement page = JsonElement.Parse(await Http.GetStringAsync($"images?name={Uri.EscapeDataString(name)}", TestContext.Current.CancellationToken));
        return [.. page.GetProperty("images").EnumerateArray().Select(i => i.GetProperty("id").GetGuid())];
    }

    /// <summary>Makes a record from a JSON document.</summary>
    public async Task<Guid> CreateAsync(string document)
    {
        using var content = new StringContent(document, new MediaTypeHeaderValue("application/json"));
        using HttpResponseMessage answer = await Http.PostAsync("images", content, TestContext.Current.CancellationToken);
        string body = await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.True(answer.StatusCode == HttpStatusCode.Created, body);
        return JsonElement.Parse(body).GetProperty("id").GetGuid();
    }

    /// <summary>Deletes a record; true when there was one.</summary>
    public async Task<bool> DeleteAsync(Guid id)
    {
        using HttpResponseMessage answer = await Http.DeleteAsync($"images/{id}", TestContext.Current.CancellationToken);
        return answer.StatusCode == HttpStatusCode.NoContent;
    }

    /// <summary>Sends its process a signal.</summary>
    public async Task SignalAsync(string signal) => await Shell.RunAsync("kill", $"-{signal}", await LabAsync(_name, "--pid"));

    /// <summary>Starts it again where it was.</summary>
    public async Task StartAgainAsync() => Assert.Equal(Endpoint, await LabAsync(_name));

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        if (_isOwn)
        {
            await LabAsync(_name, "--remove");
        }
    }

    private static async Task<string> LabAsync(params string[] arguments) =>
        (await Shell.RunAsync(Path.Combine(Shell.Repository, "scripts/lab"), ["glance", .. arguments])).Trim();
}
