using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using SnapshotApi.Hypervisor;
using SnapshotApi.Images;
using SnapshotApi.IntegrationTests.Persistence;
using SnapshotApi.Persistence;
using SnapshotApi.Snapshots;
using SnapshotApi.Stores;
using SnapshotApi.Tests.Fakes;

namespace SnapshotApi.IntegrationTests.Api;

/// <summary>One running service for a test class, and a client of it.</summary>
public sealed class ServiceFixture : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly TestDatabase _database = new();
    private DirectoryInfo? _directory;
    private int _servers;

    /// <summary>The service.</summary>
    internal RunningService Service { get; private set; } = null!;

    /// <summary>Talks to it.</summary>
    public HttpClient Client { get; private set; } = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        await _database.InitializeAsync();
        _directory = Directory.CreateTempSubdirectory("sa-");
        Service = new RunningService(_database.ConnectionString, _directory.FullName);
        Service.StartServer();
        Client = Service.CreateClient();
        await WaitUntilAsync(async () => (int)(await Client.GetAsync("/health/ready", Cancellation)).StatusCode == 200);
    }

    public async ValueTask DisposeAsync()
    {
        Client?.Dispose();
        if (Service is not null)
        {
            await Service.DisposeAsync();
        }

        _directory?.Delete(recursive: true);
        await _database.DisposeAsync();
    }

    /// <summary>A server that libvirt has and the inventory knows; without a name it gets one of its own.</summary>
    internal async Task<ServerDescription> AddServerAsync(string? name = null, Func<ServerDescription, ServerDescription>? change = null)
    {
        ServerDescription server = FakeHypervisor.Describe(name ?? $"server{Interlocked.Increment(ref _servers)}-{Guid.NewGuid():N}");
        server = Service.Hypervisor.Put(change?.Invoke(server) ?? server);
        await WaitUntilAsync(async () =>
            (await Service.Services.GetRequiredService<ServerTable>().FindAsync(server.Id.ToString(), Cancellation)).Count > 0);
        return server;
    }

    /// <summary>Sends a snapshot request.</summary>
    internal Task<HttpResponseMessage> PostAsync(string server, string body = """{"name":"snap1"}""", string? key = null)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, $"/servers/{server}/snapshots")
        {
            Content = new StringContent(body, System.Text.Encoding.UTF8, "application/json"),
        };
        if (key is not null)
        {
            request.Headers.Add("Idempotency-Key", key);
        }

        return Client.SendAsync(request, Cancellation);
    }

    /// <summary>GET that must succeed.</summary>
    internal Task<JsonElement> ReadAsync(string path) => Client.GetFromJsonAsync<JsonElement>(path, Cancellation);

    /// <summary>Takes a snapshot of a new server and waits for its end.</summary>
    internal async Task<JsonElement> RunAsync(string? server = null)
    {
        server ??= (await AddServerAsync()).Id.ToString();
        JsonElement job = await JsonAsync(await PostAsync(server));
        return await WaitAsync(job.GetProperty("links").GetProperty("self").GetString()!, IsFinal);
    }

    /// <summary>Nothing will become of the job any more.</summary>
    internal static bool IsFinal(JsonElement job) => job.GetProperty("links").GetProperty("cancel").ValueKind == JsonValueKind.Null;

    /// <summary>Waits for a job to get there; a job that does not, or has ended without it, fails the test with all that is known of it.</summary>
    internal async Task<JsonElement> WaitAsync(string path, Func<JsonElement, bool> isThere)
    {
        long start = TimeProvider.System.GetTimestamp();
        while (true)
        {
            JsonElement job = await ReadAsync(path + "?wait=5");
            if (isThere(job))
            {
                return job;
            }

            if (IsFinal(job) || TimeProvider.System.GetElapsedTime(start) > Patience)
            {
                Assert.Fail($"the job did not get there: {job}; {await ReadAsync(path + "/events")}");
            }
        }
    }

    /// <summary>Makes runs publish this file in the directory store.</summary>
    internal void PublishFile(byte[] content) => Service.Pipeline.Body = (work, journal, observer, _) =>
    {
        var id = Guid.NewGuid();
        string name = $"{id:D}.qcow2";
        Directory.CreateDirectory(Service.StoreDirectory);
        File.WriteAllBytes(Path.Combine(Service.StoreDirectory, name), content);
        observer.StepStarted(SnapshotStep.Planning);
        observer.PlanMade(new SnapshotPlan(SnapshotApi.Captures.CaptureKind.Backup, "a test", "directory", [new PlannedDisk("vda", new ImageSpec(ImageFormat.Qcow2))], []));
        observer.DisksAdvanced([new DiskProgress("vda", 1 << 20, content.Length, 0, content.Length, 0, 1)]);
        var digest = new Digest("sha256", Convert.ToHexStringLower(SHA256.HashData(content)));
        var stored = new StoredImage(id, "directory", name, ImageFormat.Qcow2, content.Length, digest);
        observer.ImagePublished(
            "vda",
            stored,
            new ImageDescription(id, work.Request.Name, stored.Format, stored.SizeBytes, 1 << 20, new Dictionary<string, string> { ["team"] = "storage" }));
        return Task.CompletedTask;
    };

    /// <summary>The document of an answer with that status.</summary>
    internal static async Task<JsonElement> JsonAsync(HttpResponseMessage response, int status = 202)
    {
        string body = await response.Content.ReadAsStringAsync(Cancellation);
        Assert.True((int)response.StatusCode == status, $"{(int)response.StatusCode}: {body}");
        return JsonElement.Parse(body);
    }

    /// <summary>The problem document of an answer, which must have that code.</summary>
    internal static async Task<JsonElement> ProblemAsync(HttpResponseMessage response, int status, string code)
    {
        JsonElement problem = await JsonAsync(response, status);
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
        Assert.Equal(code, problem.GetProperty("code").GetString());
        return problem;
    }

    /// <summary>Polls until something holds.</summary>
    internal static async Task WaitUntilAsync(Func<Task<bool>> holds)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        limit.CancelAfter(Patience);
        while (!await holds())
        {
            await Task.Delay(TimeSpan.FromMilliseconds(20), limit.Token);
        }
    }
}
