using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text.Json;
using SnapshotApi.IntegrationTests.Lab;
using SnapshotApi.IntegrationTests.Persistence;

namespace SnapshotApi.IntegrationTests.Service;

/// <summary>
/// The real service as a process of its own, role <c>all</c>, on a database, work directory and store of its own. It can be killed and
/// started again; disposing ends it and removes everything.
/// </summary>
internal sealed class ServiceProcess : IAsyncDisposable
{
    /// <summary>As the value of a setting: the key is left out, and the service's own default counts.</summary>
    public const string NotSet = "(not set)";

    private readonly TestDatabase _database;
    private readonly string _root;
    private readonly int _port = FreePort();
    private readonly string _node = $"n{Guid.NewGuid():N}"[..8];
    private Process? _process;

    /// <summary>Further keys of the configuration of its next start, as environment variables.</summary>
    public IReadOnlyDictionary<string, string> Settings { get; set; }

    /// <summary>The directory that holds all of it.</summary>
    public string Root => _root;

    private ServiceProcess(TestDatabase database, IReadOnlyDictionary<string, string> settings)
    {
        (_database, Settings) = (database, settings);
        _root = Directory.CreateDirectory(Path.Combine(Requires.LabDirectory(), $"s{Guid.NewGuid():N}"[..8])).FullName;
        Http = new HttpClient(ToSocket(SocketPath))
        {
            BaseAddress = new Uri($"http://127.0.0.1:{_port}"),
            Timeout = TimeSpan.FromSeconds(90),
        };
    }

    /// <summary>Asks at the socket, where root is admin. The base address is where the service listens for others.</summary>
    public HttpClient Http { get; }

    public string Node => _node;

    public string SocketPath => Path.Combine(_root, "api.sock");

    public string AdminKeyPath => Path.Combine(_root, "admin.key");

    public string WorkDirectory => Path.Combine(_root, "work");

    public string StoreDirectory => Path.Combine(_root, "store");

    public string LogPath => Path.Combine(_root, "service.log");

    /// <summary>Everything that it has logged, but for polls.</summary>
    public string Log
    {
        get
        {
            using var file = new FileStream(LogPath, FileMode.OpenOrCreate, FileAccess.Read, FileShare.ReadWrite);
            using var reader = new StreamReader(file);
            return string.Join('\n', reader.ReadToEnd().Split('\n').Where(line => !line.Contains(" INF GET ", StringComparison.Ordinal)));
        }
    }

    /// <summary>The database of the service.</summary>
    public TestDatabase Database => _database;

    /// <param name="settings">Further keys of its configuration, as environment variables.</param>
    /// <param name="apiKey">The API key to ask with; null: none.</param>
    public static async Task<ServiceProcess> StartAsync(IReadOnlyDictionary<string, string>? settings = null, string? apiKey = null)
    {
        var database = new TestDatabase();
        await database.CreateEmptyAsync();
        var service = new ServiceProcess(database, settings ?? new Dictionary<string, string>());
        service.Http.DefaultRequestHeaders.Authorization = apiKey is null ? null : new AuthenticationHeaderValue("Bearer", apiKey);
        try
        {
            await service.RunAsync();
            return service;
        }
        catch
        {
            await service.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts the process and waits until it is ready.</summary>
    public async Task RunAsync()
    {
        // The log goes to a file by the shell's redirection, so that it does not depend on a reader that may be slow.
        var start = new ProcessStartInfo("/bin/sh")
        {
            ArgumentList = { "-c", "exec \"$0\" --role all >>\"$1\" 2>&1", Path.Combine(AppContext.BaseDirectory, "snapshotapi"), LogPath },
        };
        foreach ((string key, string value) in Environment())
        {
            start.Environment[key] = value == NotSet ? null : value;
        }

        _process = Process.Start(start)!;
        for (int i = 0; i < 600; i++)
        {
            if (_process.HasExited)
            {
                Assert.Fail($"the service ended with {_process.ExitCode}:\n{Log}");
            }

            try
            {
                using HttpResponseMessage ready = await Http.GetAsync("/health/ready", TestContext.Current.CancellationToken);
                if (ready.StatusCode == HttpStatusCode.OK)
                {
                    return;
                }
            }
            catch (Exception e) when (e is HttpRequestException or SocketException)
            {
                // Not listening yet.
            }

            await Task.Delay(100, TestContext.Current.CancellationToken);
        }

        Assert.Fail($"the service was not ready within a minute:\n{Log}");
    }

    /// <summary>Tries to start another process with the same configuration; returns its exit code and what it says.</summary>
    public async Task<(int Code, string Said)> TryAnotherAsync(params string[] settings)
    {
        (int code, string output, string error) = await Shell.TryAsync(
            "env",
            [
                .. Environment().Where(e => e.Value == NotSet).Select(e => $"--unset={e.Key}"),
                .. Environment().Where(e => e.Value != NotSet).Select(e => $"{e.Key}={e.Value}"), .. settings,
                Path.Combine(AppContext.BaseDirectory, "snapshotapi"), "--role", "api",
            ]);
        return (code, error + output);
    }

    /// <summary>kill -9.</summary>
    public async Task KillAsync()
    {
        _process!.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
        _process = null;
    }

    /// <summary>SIGTERM; fails the test when the process has not ended within half a minute, or says that it failed.</summary>
    public async Task StopAsync()
    {
        await Shell.RunAsync("kill", "-TERM", $"{_process!.Id}");
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        await _process.WaitForExitAsync(patience.Token);
        Assert.True(_process.ExitCode == 0, $"{_process.ExitCode}\n{Log}");
        _process.Dispose();
        _process = null;
    }

    /// <summary>
    /// POSTs a snapshot and returns the job; fails the test on any other answer than 202. On a busy machine libvirt may have been silent
    /// for the seconds after which a node says so: as that answer says, it is asked again later.
    /// </summary>
    public async Task<JsonElement> SubmitAsync(LabGuest guest, object request)
    {
        for (int later = 0; ; later++)
        {
            using HttpResponseMessage answer = await Http.PostAsJsonAsync(
                $"/servers/{guest.Id}/snapshots", request, TestContext.Current.CancellationToken);
            JsonElement body = await answer.Content.ReadFromJsonAsync<JsonElement>(TestContext.Current.CancellationToken);
            if (answer.StatusCode == HttpStatusCode.ServiceUnavailable && later < 5
                && body.GetProperty("code").GetString() == "hypervisor_unavailable")
            {
                await Task.Delay(answer.Headers.RetryAfter!.Delta!.Value, TestContext.Current.CancellationToken);
                continue;
            }

            Assert.True(answer.StatusCode == HttpStatusCode.Accepted, $"{answer.StatusCode}: {body}");
            Assert.Equal($"/jobs/{body.GetProperty("id").GetGuid()}", answer.Headers.Location?.ToString().Replace(Http.BaseAddress!.ToString().TrimEnd('/'), "", StringComparison.Ordinal));
            return body;
        }
    }

    /// <summary>GETs a job.</summary>
    public Task<JsonElement> JobAsync(Guid id, string query = "") =>
        Http.GetFromJsonAsync<JsonElement>($"/jobs/{id}{query}", TestContext.Current.CancellationToken);

    /// <summary>Polls a job until a condition holds; fails the test when it becomes final before that, or after two minutes.</summary>
    public async Task<JsonElement> WaitAsync(Guid id, Func<JsonElement, bool> condition)
    {
        JsonElement job = default;
        for (long started = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(started) < TimeSpan.FromMinutes(2);)
        {
            job = await JobAsync(id);
            if (condition(job))
            {
                return job;
            }

            Assert.False(IsFinal(job), $"the job is final: {job}\n{Log}");
            await Task.Delay(20, TestContext.Current.CancellationToken);
        }

        Assert.Fail($"the job did not get there: {job}\n{Log}");
        return job;
    }

    public Task<JsonElement> WaitUntilFinalAsync(Guid id) => WaitAsync(id, IsFinal);

    public static bool IsFinal(JsonElement job) => job.GetProperty("status").GetString() is "succeeded" or "failed" or "cancelled";

    /// <summary>Asserts that no file of a job is left.</summary>
    public void AssertNoLeftovers()
    {
        string[] roots = [Path.Combine(WorkDirectory, "run"), Path.Combine(WorkDirectory, "journal"), Path.Combine(StoreDirectory, ".partial")];
        Assert.Empty(roots.Where(Directory.Exists).SelectMany(Directory.EnumerateFileSystemEntries));
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is { HasExited: false })
        {
            await Shell.TryAsync("kill", "-TERM", $"{_process.Id}");
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
            try
            {
                await _process.WaitForExitAsync(patience.Token);
            }
            catch (OperationCanceledException)
            {
                _process.Kill();
                throw new TimeoutException($"the service did not end within 30 s of SIGTERM:\n{Log}");
            }
        }

        _process?.Dispose();
        Http.Dispose();
        await _database.DisposeAsync();
        Directory.Delete(_root, recursive: true);
    }

    private Dictionary<string, string> Environment()
    {
        var environment = new Dictionary<string, string>
        {
            ["ConnectionStrings__Snapshots"] = _database.ConnectionString,
            ["Node__Name"] = _node,
            ["Node__WorkDirectory"] = WorkDirectory,
            ["Stores__Directory__Path"] = StoreDirectory,
            ["Urls"] = Http.BaseAddress!.ToString(),
            ["Socket__Path"] = SocketPath,
            ["Auth__AdminKeyFile"] = AdminKeyPath,
            ["DOTNET_ENVIRONMENT"] = "Production",
            ["Node__CheckCaptures"] = "off",
        };
        foreach ((string key, string value) in Settings)
        {
            environment[key] = value;
        }

        return environment;
    }

    private static SocketsHttpHandler ToSocket(string path) => new()
    {
        ConnectCallback = async (_, cancellationToken) =>
        {
            var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            try
            {
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancellationToken);
                return new NetworkStream(socket, ownsSocket: true);
            }
            catch
            {
                socket.Dispose();
                throw;
            }
        },
    };

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
