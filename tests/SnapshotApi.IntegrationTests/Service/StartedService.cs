using System.Diagnostics;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text.Json;
using SnapshotApi.IntegrationTests.Lab;

namespace SnapshotApi.IntegrationTests.Service;

/// <summary>
/// The real service as a process of its own that may never become ready; disposing ends it and removes its directory.
/// </summary>
internal sealed class StartedService : IAsyncDisposable
{
    private readonly Process _process;
    private readonly HttpClient _http;

    private StartedService(Process process, string root, Uri address)
    {
        (_process, Root) = (process, root);
        _http = new HttpClient { BaseAddress = address, Timeout = TimeSpan.FromSeconds(20) };
    }

    /// <summary>Holds its log, and <c>work</c> and <c>store</c> unless others are named.</summary>
    public string Root { get; }

    public string Log
    {
        get
        {
            using var file = new FileStream(
                Path.Combine(Root, "log"), FileMode.OpenOrCreate, FileAccess.Read, FileShare.ReadWrite);
            using var reader = new StreamReader(file);
            return reader.ReadToEnd();
        }
    }

    /// <summary>Starts it.</summary>
    /// <param name="settings">Keys of its configuration, as environment variables.</param>
    /// <param name="asWhom">Words before the command, for example of setpriv.</param>
    public static StartedService Start(
        string role, IReadOnlyDictionary<string, string> settings, string root, params string[] asWhom)
    {
        int port = FreePort();
        var start = new ProcessStartInfo("/bin/sh")
        {
            ArgumentList = { "-c", "log=$1; shift; exec \"$@\" >>\"$log\" 2>&1", "sh", Path.Combine(root, "log") },
        };
        string[] command = [.. asWhom, Path.Combine(AppContext.BaseDirectory, "snapshotapi"), "--role", role];
        foreach (string word in command)
        {
            start.ArgumentList.Add(word);
        }

        start.Environment["Node__Name"] = Path.GetFileName(root);
        start.Environment["Node__WorkDirectory"] = Path.Combine(root, "work");
        start.Environment["Stores__Directory__Path"] = Path.Combine(root, "store");
        start.Environment["Urls"] = $"http://127.0.0.1:{port}";
        start.Environment["Socket__Path"] = "";
        start.Environment["Auth__AdminKeyFile"] = "";
        start.Environment["Auth__AllowAnonymousNetwork"] = "true";
        start.Environment["Node__CheckCaptures"] = "off";
        start.Environment["DOTNET_ENVIRONMENT"] = "Production";
        foreach ((string key, string value) in settings)
        {
            start.Environment[key] = value;
        }

        return new StartedService(Process.Start(start)!, root, new Uri($"http://127.0.0.1:{port}"));
    }

    /// <summary>A directory for one service, which every user may pass through.</summary>
    public static string MakeRoot() =>
        Directory.CreateDirectory(Path.Combine(Requires.LabDirectory(), $"t{Guid.NewGuid():N}"[..8])).FullName;

    /// <summary>Waits until a part of <c>/health/ready</c> says something; returns the status and the part's message.</summary>
    public async Task<(int Status, string Message)> WaitForPartAsync(string part, Func<string, bool> isIt)
    {
        while (true)
        {
            Assert.False(_process.HasExited, Log);
            try
            {
                using HttpResponseMessage ready =
                    await _http.GetAsync("/health/ready", TestContext.Current.CancellationToken);
                JsonElement body =
                    await ready.Content.ReadFromJsonAsync<JsonElement>(TestContext.Current.CancellationToken);
                string message = body.GetProperty("parts").EnumerateArray()
                    .Single(p => p.GetProperty("name").GetString() == part).GetProperty("message").GetString() ?? "";
                if (isIt(message))
                {
                    return ((int)ready.StatusCode, message);
                }
            }
            catch (HttpRequestException)
            {
                // Not listening yet.
            }

            await Task.Delay(200, TestContext.Current.CancellationToken);
        }
    }

    /// <summary>Waits for its end by itself.</summary>
    public async Task<int> WaitForEndAsync()
    {
        await _process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return _process.ExitCode;
    }

    /// <summary>No failure that was to be expected has left a stack trace.</summary>
    public void AssertNoTrace() => Assert.DoesNotContain("\n   at ", Log, StringComparison.Ordinal);

    /// <summary>SIGTERM, and its end.</summary>
    public async Task StopAsync()
    {
        await Shell.TryAsync("kill", "-TERM", $"{_process.Id}");
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        await _process.WaitForExitAsync(patience.Token);
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            await StopAsync();
        }

        _process.Dispose();
        _http.Dispose();
        Directory.Delete(Root, recursive: true);
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(System.Net.IPAddress.Loopback, 0);
        listener.Start();
        return ((System.Net.IPEndPoint)listener.LocalEndpoint).Port;
    }
}
