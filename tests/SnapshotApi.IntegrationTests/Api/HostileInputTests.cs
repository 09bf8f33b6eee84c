using System.Globalization;
using System.Net;
using System.Text.Json;
using SnapshotApi.Hypervisor;

namespace SnapshotApi.IntegrationTests.Api;

/// <summary>What a caller may send to do harm: it is refused with 4xx, or comes back as it was sent, and nothing else happens.</summary>
public sealed class HostileInputTests(ServiceFixture service) : IClassFixture<ServiceFixture>
{
    private const string Script = "<script>alert(1)</script><img src=x onerror=alert(1)>";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public static TheoryData<string> Carried =>
    [
        "../../../etc/passwd", "/etc/passwd", "..", ".", "-rf", "--help", "a/b\\c", "%00%2e%2e%2f", "${HOME} $(id) `id`; rm -rf /", "'; DROP TABLE jobs; --",
        "\U0001F427\U0001F427", "e\u0301 \u202E abc", "\uFEFFbom", "\uFFFE\uFFFF", "<name>&amp;\"']]></name>", "{\"a\":1}", "{Name} {0} %s %n", Script, "NULL", "\u00A0x",
    ];

    public static TheoryData<string> Refused =>
    [
        "\"a\\u0000b\"", "\"a\\nb\"", "\"a\\rb\"", "\"\\u001b[2J\"", "\"\\u0085\"", "\"\\u2028\"", "\"\\ud800\"", "\"\\udc00\\ud800\"", "\"\"", "\" \"", "\"\\t\"",
        $"\"{new string('x', 256)}\"", "1", "[]", "{}", "true",
    ];

    [Theory]
    [MemberData(nameof(Carried))]
    public async Task Any_text_is_carried_from_the_request_to_the_image_as_it_is(string text)
    {
        service.PublishFile("x"u8.ToArray());
        ServerDescription server = await service.AddServerAsync();
        string body = JsonSerializer.Serialize(new { name = text, metadata = new Dictionary<string, string> { [text] = text } });

        JsonElement job = await ServiceFixture.JsonAsync(await service.PostAsync(server.Id.ToString(), body));
        job = await EndAsync(job);
        string link = job.GetProperty("links").GetProperty("images")[0].GetString()!;
        using HttpResponseMessage answer = await service.Client.GetAsync(link, Cancellation);
        string raw = await answer.Content.ReadAsStringAsync(Cancellation);
        using HttpResponseMessage file = await service.Client.GetAsync(link + "/file", Cancellation);

        Assert.Equal(text, job.GetProperty("name").GetString());
        Assert.Equal(text, JsonElement.Parse(raw).GetProperty("name").GetString());
        Assert.Equal("application/json", answer.Content.Headers.ContentType?.MediaType);
        Assert.Equal("nosniff", Assert.Single(answer.Headers.GetValues("X-Content-Type-Options")));
        Assert.Equal(HttpStatusCode.OK, file.StatusCode);
        Assert.Matches("^[A-Za-z0-9_][A-Za-z0-9._-]*-vda[.]qcow2$", file.Content.Headers.ContentDisposition!.FileName!.Trim('"'));
        Assert.Single(Directory.GetFileSystemEntries(service.Service.StoreDirectory, $"{link["/images/".Length..]}*"));
    }

    [Theory]
    [MemberData(nameof(Refused))]
    public async Task A_name_that_is_no_text_to_show_is_refused(string json)
    {
        ServerDescription server = await service.AddServerAsync();

        using HttpResponseMessage name = await service.PostAsync(server.Name, $$"""{"name":{{json}}}""");

        await ServiceFixture.ProblemAsync(name, 400, "invalid_request");
        await AssertNoJobAsync(server);
    }

    [Theory]
    [InlineData(129, 400, "invalid_request")]
    [InlineData(5000, 400, "invalid_request")]
    [InlineData(10_000, 413, "payload_too_large")]
    public async Task A_flood_of_metadata_is_refused(int keys, int status, string code)
    {
        ServerDescription server = await service.AddServerAsync();
        string body = JsonSerializer.Serialize(new { name = "n", metadata = Enumerable.Range(0, keys).ToDictionary(i => i.ToString("x", CultureInfo.InvariantCulture), _ => "") });

        using HttpResponseMessage response = await service.PostAsync(server.Name, body);

        JsonElement problem = await ServiceFixture.ProblemAsync(response, status, code);
        Assert.True(problem.GetRawText().Length < 20_000, "the answer is as long as the question");
        await AssertNoJobAsync(server);
    }

    [Theory]
    [InlineData("bandwidthBytesPerSecond", "9223372036854775807")]
    [InlineData("bandwidthBytesPerSecond", "-9223372036854775808")]
    [InlineData("bandwidthBytesPerSecond", "9223372036854775808")]
    [InlineData("bandwidthBytesPerSecond", "1099511627777")]
    [InlineData("bandwidthBytesPerSecond", "65535")]
    [InlineData("bandwidthBytesPerSecond", "0")]
    [InlineData("bandwidthBytesPerSecond", "65536.5")]
    [InlineData("bandwidthBytesPerSecond", "1e400")]
    [InlineData("deadlineSeconds", "0")]
    [InlineData("deadlineSeconds", "-1")]
    [InlineData("deadlineSeconds", "604801")]
    [InlineData("deadlineSeconds", "2147483648")]
    [InlineData("deadlineSeconds", "4294967297")]
    [InlineData("deadlineSeconds", "1e1")]
    [InlineData("compressionLevel", "20")]
    [InlineData("compressionLevel", "4294967297")]
    [InlineData("compressionLevel", "0")]
    public async Task A_number_beyond_its_limits_is_refused(string member, string number)
    {
        ServerDescription server = await service.AddServerAsync();

        using HttpResponseMessage response = await service.PostAsync(server.Name, $$"""{"name":"n","compression":"zstd","{{member}}":{{number}}}""");

        JsonElement problem = await ServiceFixture.ProblemAsync(response, 400, "invalid_request");
        Assert.True(problem.GetProperty("errors").TryGetProperty(member, out _), problem.ToString());
        await AssertNoJobAsync(server);
    }

    [Theory]
    [InlineData("""{"name":"n","bandwidthBytesPerSecond":65536,"deadlineSeconds":1}""")]
    [InlineData("""{"name":"n","bandwidthBytesPerSecond":1099511627776,"deadlineSeconds":604800}""")]
    [InlineData("""{"name":"n","compression":"zstd","compressionLevel":19}""")]
    [InlineData("""{"name":"n","compression":"zlib","compressionLevel":1}""")]
    public async Task A_number_at_its_limit_is_taken(string body)
    {
        ServerDescription server = await service.AddServerAsync();

        using HttpResponseMessage response = await service.PostAsync(server.Name, body);

        await EndAsync(await ServiceFixture.JsonAsync(response));
    }

    [Theory]
    [InlineData("..%2f..%2fetc%2fpasswd", 404)]
    [InlineData("%00", 400)]
    [InlineData("a%0ab", 404)]
    [InlineData("%ff%fe", 404)]
    [InlineData("%3Cscript%3E", 404)]
    [InlineData("' OR 1=1 --", 404)]
    [InlineData("%F0%9F%90%A7", 404)]
    public async Task A_server_of_such_a_name_is_none(string segment, int status)
    {
        using HttpResponseMessage get = await service.Client.GetAsync($"/servers/{segment}", Cancellation);
        using HttpResponseMessage post = await service.PostAsync(segment);

        Assert.Equal((status, status), ((int)get.StatusCode, (int)post.StatusCode));
        Assert.DoesNotContain('<', await get.Content.ReadAsStringAsync(Cancellation));
        Assert.DoesNotContain('<', await post.Content.ReadAsStringAsync(Cancellation));
    }

    [Fact]
    public async Task Hangfires_pages_show_nothing_that_a_user_wrote()
    {
        ServerDescription server = await service.AddServerAsync($"{Script}{Guid.NewGuid():N}");
        string body = JsonSerializer.Serialize(new { name = Script, metadata = new Dictionary<string, string> { [Script] = Script } });
        await EndAsync(await ServiceFixture.JsonAsync(await service.PostAsync(server.Id.ToString(), body)));

        // The job is final a moment before Hangfire has noted the end of its delivery.
        string list = string.Empty;
        string details = string.Empty;
        await ServiceFixture.WaitUntilAsync(async () =>
        {
            list = await service.Client.GetStringAsync("/hangfire/jobs/succeeded", Cancellation);
            details = System.Text.RegularExpressions.Regex.Match(list, "/hangfire/jobs/details/[^\"]+").Value;
            return details.Length > 0;
        });
        string page = await service.Client.GetStringAsync(details, Cancellation);

        Assert.All([list, page], html => Assert.DoesNotContain("alert(1)", html, StringComparison.Ordinal));
    }

    private async Task<JsonElement> EndAsync(JsonElement job)
    {
        job = await service.WaitAsync($"/jobs/{job.GetProperty("id").GetString()}", ServiceFixture.IsFinal);
        Assert.True(job.GetProperty("status").GetString() == "succeeded", job.ToString());
        return job;
    }

    private async Task AssertNoJobAsync(ServerDescription server) =>
        Assert.Equal(0, (await service.ReadAsync($"/servers/{server.Id}/snapshots")).GetProperty("items").GetArrayLength());
}
