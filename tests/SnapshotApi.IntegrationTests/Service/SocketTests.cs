using System.Net;
using System.Net.Sockets;
using System.Text;
using SnapshotApi.Configuration;
using SnapshotApi.IntegrationTests.Lab;

namespace SnapshotApi.IntegrationTests.Service;

/// <summary>Who may do what on the host of a service that nobody has configured: other users, keys, foreign pages.</summary>
public sealed class SocketTests : IAsyncLifetime
{
    // A number that no user of a Debian host has.
    private const string Stranger = "64123";

    // Of every Debian host; nobody is in it. The product's own group may be there or not.
    private const string Group = "daemon";

    private static readonly string[] AsStranger =
        ["--reuid", Stranger, "--regid", Stranger, "--clear-groups", "--inh-caps", "-all"];

    // More than are asked for at once; users of a directory are in many.
    private static readonly string ManyGroups = string.Join(',', Enumerable.Range(64200, 100));

    private static readonly string[] AsMember =
        ["--reuid", Stranger, "--regid", Stranger, "--groups", $"{ManyGroups},{Group}", "--inh-caps", "-all"];

    private static readonly string[] AsRoot = [];

    private static readonly string Snapshotctl = Path.Combine(AppContext.BaseDirectory, "snapshotctl");

    private ServiceProcess _service = null!;

    private string Url => _service.Http.BaseAddress!.ToString().TrimEnd('/');

    public async ValueTask InitializeAsync() => _service = await ServiceProcess.StartAsync(
        new Dictionary<string, string> { ["Socket__Group"] = Group });

    public async ValueTask DisposeAsync() => await _service.DisposeAsync();

    [Fact(Timeout = 120_000)]
    public async Task Another_user_of_the_host_gets_nothing()
    {
        (int connected, _, _) = await RunAsync(AsStranger, "curl", "-s", "--unix-socket", _service.SocketPath, "http://localhost/nodes");
        (int ctl, _, string words) = await RunAsync(AsStranger, Snapshotctl, "--url", $"unix:{_service.SocketPath}", "nodes");
        (_, string readable, _) = await RunAsync(
            AsStranger, "find", _service.WorkDirectory, _service.StoreDirectory, _service.AdminKeyPath, "-type", "f", "-readable");

        Assert.Equal(7, connected);
        Assert.Equal(7, ctl);
        Assert.Contains("usermod -aG snapshotapi", words, StringComparison.Ordinal);
        Assert.Equal(401, await AskAsync(AsStranger, "/nodes"));
        Assert.Equal(401, await AskAsync(AsStranger, "/hangfire"));
        Assert.Equal(401, await AskAsync(AsStranger, "/health/ready"));
        Assert.Equal(200, await AskAsync(AsStranger, "/health/live"));
        Assert.Empty(readable);
        Assert.True(File.Exists(_service.AdminKeyPath));
    }

    [Fact(Timeout = 120_000)]
    public async Task A_member_of_the_group_is_admin_and_is_named_in_the_log()
    {
        (int ctl, string nodes, string error) = await RunAsync(AsMember, Snapshotctl, "--url", $"unix:{_service.SocketPath}", "nodes");

        Assert.True(ctl == 0, error);
        Assert.Contains("QEMU", nodes, StringComparison.Ordinal);
        Assert.Equal(404, await AskAsync(AsMember, $"/images/{Guid.NewGuid()}", "-X", "DELETE", "--unix-socket", _service.SocketPath));
        Assert.Equal(200, await AskAsync(AsMember, "/hangfire", "-H", "Host: anything.example", "--unix-socket", _service.SocketPath));
        Assert.Contains($"to uid-{Stranger}", _service.Log, StringComparison.Ordinal);
    }

    /// <summary>As if somebody had opened the socket's mode: what the kernel says of the caller still counts.</summary>
    [Fact(Timeout = 120_000)]
    public async Task Who_gets_at_the_socket_without_being_in_the_group_may_do_nothing()
    {
        File.SetUnixFileMode(
            _service.SocketPath, File.GetUnixFileMode(_service.SocketPath) | UnixFileMode.OtherRead | UnixFileMode.OtherWrite);

        Assert.Equal(403, await AskAsync(AsStranger, "/nodes", "--unix-socket", _service.SocketPath));
        Assert.Equal(200, await AskAsync(AsRoot, "/nodes", "--unix-socket", _service.SocketPath));
    }

    [Fact(Timeout = 120_000)]
    public async Task The_first_key_opens_the_network_and_a_key_on_the_socket_decides()
    {
        string key = (await File.ReadAllTextAsync(_service.AdminKeyPath, TestContext.Current.CancellationToken)).Trim();
        string basic = Convert.ToBase64String(Encoding.UTF8.GetBytes($"me:{key}"));

        Assert.Equal(
            UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_service.AdminKeyPath));
        Assert.Equal(200, await AskAsync(AsStranger, "/nodes", "-H", $"Authorization: Bearer {key}"));
        Assert.Equal(401, await AskAsync(AsStranger, "/nodes", "-H", $"Authorization: Bearer {key}x"));
        Assert.Equal(200, await AskAsync(AsStranger, "/hangfire", "-H", $"Authorization: Basic {basic}"));
        Assert.Equal(200, await AskAsync(AsStranger, "/swagger/index.html", "-H", $"Authorization: Basic {basic}"));
        Assert.Equal(
            401, await AskAsync(AsRoot, "/nodes", "--unix-socket", _service.SocketPath, "-H", $"X-Api-Key: {key}x"));
        Assert.Equal(
            200, await AskAsync(AsRoot, "/nodes", "--unix-socket", _service.SocketPath, "-H", $"X-Api-Key: {key}"));
    }

    [Theory(Timeout = 120_000)]
    [InlineData("Authorization: x")]
    [InlineData("Authorization: Bearer")]
    [InlineData("Authorization: Basic bWU6eA==")]
    [InlineData("Authorization: Negotiate YWJj")]
    [InlineData("X-Api-Key;")]
    public async Task Who_passes_on_a_credential_that_is_none_is_not_taken_for_its_sender(string header) =>
        Assert.Equal(401, await AskAsync(AsRoot, "/nodes", "--unix-socket", _service.SocketPath, "-H", header));

    [Fact(Timeout = 120_000)]
    public async Task A_page_of_another_site_gets_nothing_with_a_key_or_without()
    {
        string key = (await File.ReadAllTextAsync(_service.AdminKeyPath, TestContext.Current.CancellationToken)).Trim();
        foreach (string credential in new[] { "X-Nothing: 1", $"Authorization: Bearer {key}" })
        {
            foreach (string path in new[] { "/nodes", "/health/live", "/swagger/index.html", "/hangfire" })
            {
                Assert.Equal(
                    400, await AskAsync(AsRoot, path, "-H", "Host: evil.example", "-H", "Origin: http://evil.example", "-H", credential));
                Assert.Equal(403, await AskAsync(AsRoot, path, "-H", "Origin: http://evil.example", "-H", credential));
            }
        }
    }

    [Fact(Timeout = 240_000)]
    public async Task A_dead_services_socket_is_replaced_and_a_living_ones_is_not()
    {
        (int code, string said) = await _service.TryAnotherAsync("Urls=http://127.0.0.1:0");
        Assert.True(code == 1, said);
        Assert.Contains("another process listens at", said, StringComparison.Ordinal);
        Assert.Equal(200, await AskAsync(AsRoot, "/nodes", "--unix-socket", _service.SocketPath));

        await _service.KillAsync();
        Assert.True(File.Exists(_service.SocketPath));
        await _service.RunAsync();
        Assert.Equal(200, await AskAsync(AsMember, "/nodes", "--unix-socket", _service.SocketPath));

        await _service.StopAsync();
        Assert.False(File.Exists(_service.SocketPath));
    }

    [Fact(Timeout = 240_000)]
    public async Task A_key_that_others_may_have_read_is_refused()
    {
        await _service.StopAsync();
        File.SetUnixFileMode(_service.AdminKeyPath, File.GetUnixFileMode(_service.AdminKeyPath) | UnixFileMode.OtherRead);

        (int code, string said) = await _service.TryAnotherAsync();

        Assert.True(code == 2, said);
        Assert.Contains("chmod 600", said, StringComparison.Ordinal);
    }

    [Fact(Timeout = 240_000)]
    public async Task Where_keys_are_configured_none_is_made_and_one_that_can_listen_nowhere_ends()
    {
        await using ServiceProcess mute = await ServiceProcess.StartAsync(new Dictionary<string, string>
        {
            ["Auth__ApiKeys__0__Name"] = "test",
            ["Auth__ApiKeys__0__Key"] = ApiKeyHash.Text(ApiKeyHash.Of("a key of a test")),
        });
        Assert.False(File.Exists(mute.AdminKeyPath));

        (int code, string said) = await mute.TryAnotherAsync(
            "Urls=", "Socket__Path=/proc/nowhere/api.sock", "Auth__AdminKeyFile=/nonexistent/admin.key");

        Assert.True(code == 1, said);
        Assert.Contains("listens nowhere else", said, StringComparison.Ordinal);
    }

    /// <summary>Any user of the host can take the port that the service has by default.</summary>
    [Fact(Timeout = 240_000)]
    public async Task Who_takes_the_port_does_not_keep_the_service_from_its_socket()
    {
        using var stranger = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        stranger.Bind(new IPEndPoint(IPAddress.Loopback, 5080));
        stranger.Listen();
        await using ServiceProcess service = await ServiceProcess.StartAsync(
            new Dictionary<string, string> { ["Urls"] = ServiceProcess.NotSet });
        Assert.Contains("Another process listens at http://127.0.0.1:5080", service.Log, StringComparison.Ordinal);

        (int code, string said) = await service.TryAnotherAsync(
            "Urls=http://127.0.0.1:5080", $"Socket__Path={service.SocketPath}.other");

        Assert.True(code == 1, said);
        Assert.Contains("in use", said, StringComparison.Ordinal);
    }

    private static Task<(int Code, string Output, string Error)> RunAsync(string[] user, string command, params string[] arguments) =>
        user.Length == 0 ? Shell.TryAsync(command, arguments) : Shell.TryAsync("setpriv", [.. user, command, .. arguments]);

    private async Task<int> AskAsync(string[] user, string path, params string[] options)
    {
        (_, string status, string error) = await RunAsync(
            user, "curl", ["-s", "-o", "/dev/null", "-w", "%{http_code}", .. options, Url + path]);
        Assert.True(int.TryParse(status, out int code) && code > 0, $"{status} {error}");
        return code;
    }
}
