using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Npgsql;
using SnapshotApi.Configuration;
using SnapshotApi.IntegrationTests.Lab;

namespace SnapshotApi.IntegrationTests.Service;

/// <summary>
/// After jobs of every outcome, with everything configured that is secret: what the service tells, logs and stores holds no secret, no path of
/// the host, and nothing of a guest's definition.
/// </summary>
public sealed class SecrecyTests : IAsyncLifetime
{
    private const long Slow = 8 << 20;
    private const string InDefinition = "only-in-the-definition-of-the-guest";
    private const string GlanceToken = "glance-token-of-a-test";
    private const string JwtSecret = "a secret of tests, of thirty-two bytes or more";

    private static readonly string Key = ApiKeyHash.NewKey();

    private readonly string _secretFile = Path.Combine(Path.GetTempPath(), $"jwt-{Guid.NewGuid():N}");
    private readonly List<(string What, string Text)> _told = [];
    private ServiceProcess _service = null!;
    private LabGuest _guest = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        await File.WriteAllTextAsync(_secretFile, JwtSecret, Cancellation);
        _service = await ServiceProcess.StartAsync(
            new Dictionary<string, string>
            {
                ["Auth__ApiKeys__0__Name"] = "test",
                ["Auth__ApiKeys__0__Key"] = ApiKeyHash.Text(ApiKeyHash.Of(Key)),
                ["Auth__ApiKeys__0__Role"] = "admin",
                ["Auth__Jwt__SecretFile"] = _secretFile,
                ["Auth__Jwt__Issuer"] = "test",
                ["Auth__Jwt__Audience"] = "test",
                ["Stores__Glance__Endpoint"] = "http://127.0.0.1:1",
                ["Stores__Glance__Token"] = GlanceToken,
            },
            Key);
        _guest = await LabGuest.StartAsync("--disk-size", "256M", "--disk-format", "qcow2", "--writer", "1M");
        await _guest.VirshAsync("desc", "--live", "--config", InDefinition);
    }

    public async ValueTask DisposeAsync()
    {
        await _service.DisposeAsync();
        await _guest.DisposeAsync();
        File.Delete(_secretFile);
    }

    [Fact(Timeout = 240_000)]
    public async Task Nothing_secret_is_told_logged_or_stored()
    {
        await RunJobsAsync();
        await AskWronglyAsync();
        await LookAsync();
        string disk = await _guest.DiskPathAsync();
        (string Name, string Text)[] secrets =
        [
            ("API key", Key), ("hash of the API key", ApiKeyHash.Text(ApiKeyHash.Of(Key))[7..]), ("JWT secret", JwtSecret),
            ("Glance token", GlanceToken), ("definition", InDefinition), ("XML", "<domain"), ("XML", "<disk "), ("XML", "<?xml"),
            .. Password() is { Length: > 0 } password ? [("password of the database", password)] : Array.Empty<(string, string)>(),
        ];
        (string Name, string Text)[] paths =
        [
            ("work directory", _service.WorkDirectory), ("store", _service.StoreDirectory), ("disk", disk),
            ("directory of the disk", Path.GetDirectoryName(disk)!), ("lab", Requires.LabDirectory()), ("secret's file", _secretFile),
        ];

        string log = await File.ReadAllTextAsync(_service.LogPath, Cancellation);
        (string, string)[] information =
        [
            // Where the service listens is for the log to say; its socket lies in the lab here.
            .. log.Split('\n')
                .Where(l => l.Contains(" INF ", StringComparison.Ordinal) && !l.Contains(" INF Now listening on", StringComparison.Ordinal))
                .Select(l => ("log", l)),
        ];
        (string, string)[] rows = await RowsAsync();

        Assert.True(information.Length > 20, $"only {information.Length} lines were logged");
        Assert.Contains(rows, r => r.Item1 == "public.jobs" && r.Item2.Contains("succeeded", StringComparison.Ordinal));
        Assert.Contains(rows, r => r.Item1 == "public.servers" && r.Item2.Contains(_guest.Name, StringComparison.Ordinal));
        Assert.Contains(rows, r => r.Item1 == "hangfire.job");
        Assert.Empty(Leaks([.. _told, .. rows, ("log", log)], secrets));
        Assert.Empty(Leaks([.. _told, .. rows, .. information], paths));
    }

    private static IEnumerable<string> Leaks((string What, string Text)[] texts, (string Name, string Text)[] hidden) =>
        from text in texts
        from secret in hidden
        where text.Text.Contains(secret.Text, StringComparison.OrdinalIgnoreCase)
        select $"{secret.Name} in {text.What}: {text.Text}";

    private static string? Password() => new NpgsqlConnectionStringBuilder(Requires.Postgres()).Password;

    private async Task RunJobsAsync()
    {
        foreach (string mode in new[] { "backup", "mirror", "cold" })
        {
            await EndAsync("succeeded", new { name = "good", mode, metadata = new { a = "b" } });
        }

        await EndAsync("failed", new { name = "late", mode = "backup", deadlineSeconds = 1, bandwidthBytesPerSecond = Slow });
        await EndAsync("failed", new { name = "late", mode = "mirror", deadlineSeconds = 1, bandwidthBytesPerSecond = Slow });
        await EndAsync("failed", new { name = "nowhere", store = "glance" });
        Guid id = await SubmitAsync(new { name = "cancelled", mode = "backup", bandwidthBytesPerSecond = Slow });
        await _service.WaitAsync(id, job => job.GetProperty("step").GetString() == "uploading");
        await TellAsync(await _service.Http.PostAsJsonAsync($"/servers/{_guest.Id}/snapshots", new { name = "busy" }, Cancellation), HttpStatusCode.Conflict);
        await TellAsync(await _service.Http.DeleteAsync($"/jobs/{id}", Cancellation), HttpStatusCode.Accepted);
        await EndAsync("cancelled", id);
    }

    private async Task AskWronglyAsync()
    {
        HttpClient http = _service.Http;
        await TellAsync(await http.GetAsync("/jobs/../../etc/passwd", Cancellation), HttpStatusCode.NotFound);
        await TellAsync(await http.GetAsync($"/images/{Guid.NewGuid()}/file", Cancellation), HttpStatusCode.NotFound);
        await TellAsync(await http.PostAsJsonAsync("/servers/nobody/snapshots", new { name = "n" }, Cancellation), HttpStatusCode.NotFound);
        await TellAsync(await http.PostAsJsonAsync($"/servers/{_guest.Id}/snapshots", new { name = "" }, Cancellation), HttpStatusCode.BadRequest);
        await TellAsync(
            await http.PostAsJsonAsync($"/servers/{_guest.Id}/snapshots", new { name = "n", disks = new[] { "vdz" } }, Cancellation), HttpStatusCode.UnprocessableEntity);
        foreach (string credential in new[] { Key + "x", "eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl" })
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, "/nodes");
            request.Headers.Authorization = new("Bearer", credential);
            await TellAsync(await http.SendAsync(request, Cancellation), HttpStatusCode.Unauthorized);
        }
    }

    private async Task LookAsync()
    {
        foreach (string path in new[] { "/jobs", "/servers", $"/servers/{_guest.Id}", "/nodes", "/images", "/health/ready", "/swagger/v1/swagger.json", "/hangfire", "/hangfire/jobs/succeeded" })
        {
            await TellAsync(await _service.Http.GetAsync(path, Cancellation), HttpStatusCode.OK);
        }
    }

    private async Task<Guid> SubmitAsync(object request) => (await _service.SubmitAsync(_guest, request)).GetProperty("id").GetGuid();

    private async Task EndAsync(string status, object request) => await EndAsync(status, await SubmitAsync(request));

    private async Task EndAsync(string status, Guid id)
    {
        JsonElement job = await _service.WaitUntilFinalAsync(id);
        Assert.True(job.GetProperty("status").GetString() == status, job.ToString());
        await TellAsync(await _service.Http.GetAsync($"/jobs/{id}", Cancellation), HttpStatusCode.OK);
        await TellAsync(await _service.Http.GetAsync($"/jobs/{id}/events", Cancellation), HttpStatusCode.OK);
    }

    // Headers and body; the text is unescaped, as a client reads it.
    private async Task TellAsync(HttpResponseMessage answer, HttpStatusCode status)
    {
        using (answer)
        {
            string body = await answer.Content.ReadAsStringAsync(Cancellation);
            Assert.True(answer.StatusCode == status, $"{answer.StatusCode}: {body}");
            var text = new StringBuilder(answer.ToString()).Append(body);
            if (answer.Content.Headers.ContentType?.MediaType?.EndsWith("json", StringComparison.Ordinal) == true)
            {
                Unescape(JsonElement.Parse(body), text);
            }

            _told.Add(($"{answer.RequestMessage!.Method} {answer.RequestMessage.RequestUri!.AbsolutePath}", text.ToString()));
        }
    }

    private static void Unescape(JsonElement element, StringBuilder text)
    {
        if (element.ValueKind == JsonValueKind.String)
        {
            text.Append(element.GetString()).Append('\n');
        }
        else if (element.ValueKind == JsonValueKind.Array)
        {
            foreach (JsonElement item in element.EnumerateArray())
            {
                Unescape(item, text);
            }
        }
        else if (element.ValueKind == JsonValueKind.Object)
        {
            foreach (JsonProperty member in element.EnumerateObject())
            {
                text.Append(member.Name).Append('\n');
                Unescape(member.Value, text);
            }
        }
    }

    // Every row of every table, ours and Hangfire's.
    private async Task<(string Table, string Row)[]> RowsAsync()
    {
        var rows = new List<(string, string)>();
        List<string> tables = await ReadAsync(
            "SELECT table_schema || '.' || table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE' AND table_schema IN ('public', 'hangfire')");
        foreach (string table in tables)
        {
            rows.AddRange((await ReadAsync($"SELECT t::text FROM {table} AS t")).Select(row => (table, row)));
        }

        return [.. rows];
    }

    private async Task<List<string>> ReadAsync(string sql)
    {
        var values = new List<string>();
        await using NpgsqlCommand command = _service.Database.Source.CreateCommand(sql);
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync(Cancellation);
        while (await reader.ReadAsync(Cancellation))
        {
            values.Add(reader.GetString(0));
        }

        return values;
    }
}
