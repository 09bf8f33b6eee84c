using System.Diagnostics.CodeAnalysis;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using SnapshotApi.Tests;

namespace SnapshotApi.IntegrationTests.Api;

/// <summary>Composes requests from an OpenAPI document: each is a good one with up to three things wrong.</summary>
[SuppressMessage("Security", "CA5394", Justification = "A seed must give the same requests again.")]
internal sealed class FuzzRequests
{
    private static readonly string[] Texts =
    [
        "", " ", "a", "0", "-1", "null", "true", "..", "../../etc/passwd", "%2e%2e%2f", "\u0000", "a\u0000b", "a\nb", "\r\nX-Evil: 1", "'; DROP TABLE jobs; --", "<script>alert(1)</script>",
        "&lt;&amp;", "{}", "[]", "\"", "\\", "$(id)", "`id`", "%s%n", "\uFEFF", "\u202E", "é", "日本", "\U0001F4F8", "e\u0301", "\u00A0", new('x', 255), new('x', 256), new('\u00E9', 4000),
        "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff", "9223372036854775807", "9223372036854775808", "1e400", "NaN", "-0", "0x10", "1.5", "2147483648",
    ];

    private static readonly string[] Values =
    [
        "null", "true", "false", "0", "-1", "1", "1.5", "-0.0", "1e400", "9223372036854775807", "9223372036854775808", "-9223372036854775809", "2147483648", "\"\"", "\"all\"", "\"x\"", "[]",
        "[null]", "[[]]", "[\"vda\",\"vda\"]", "{}", "{\"a\":null}", "{\"a\":1}", "{\"\":\"\"}", "{\"a\":\"b\",\"a\":\"c\"}", "\"\\ud800\"", "\"\\u0000\"", "\"\\ud83d\\udcf8\"", "{\"\\u0000\":\"x\"}",
    ];

    private readonly List<Operation> _operations = [];
    private readonly IReadOnlyList<string> _servers;
    private readonly string _job;
    private readonly string _image;

    public FuzzRequests(JsonNode document, IReadOnlyList<string> servers, string job, string image)
    {
        (_servers, _job, _image) = (servers, job, image);
        foreach ((string path, JsonNode? methods) in document["paths"]!.AsObject())
        {
            foreach ((string method, JsonNode? operation) in methods!.AsObject())
            {
                List<Parameter> parameters =
                [
                    .. (operation!["parameters"]?.AsArray() ?? []).Select(p => new Parameter((string)p!["name"]!, (string)p["in"]!)),
                ];
                string? schema = (string?)operation["requestBody"]?["content"]?["application/json"]?["schema"]?["$ref"];
                string[] members = schema is null
                    ? []
                    : [.. document["components"]!["schemas"]![schema.Split('/')[^1]]!["properties"]!.AsObject().Select(p => p.Key)];
                _operations.Add(new Operation(new HttpMethod(method.ToUpperInvariant()), path, parameters, members));
            }
        }
    }

    public static JsonNode ReadDocument() =>
        JsonNode.Parse(File.ReadAllText(Path.Combine(RepositoryFiles.Root, "openapi", "snapshotapi.v1.json")))!;

    /// <summary>The request with that number; the operations take turns.</summary>
    public HttpRequestMessage Make(Random random, int number)
    {
        Operation operation = _operations[number % _operations.Count];
        int wrong = random.Next(4);
        string path = operation.Path;
        var query = new List<string>();
        var headers = new List<(string Name, string Value)>();
        foreach (Parameter parameter in operation.Parameters)
        {
            bool isWrong = wrong > 0 && random.Next(3) == 0;
            wrong -= isWrong ? 1 : 0;
            string? value = isWrong ? Pick(random, Texts) : Good(random, operation, parameter.Name);
            switch (parameter.In)
            {
                case "path":
                    path = path.Replace($"{{{parameter.Name}}}", Uri.EscapeDataString(value ?? "x"), StringComparison.Ordinal);
                    break;
                case "query" when value is not null:
                    query.Add($"{parameter.Name}={Uri.EscapeDataString(value)}");
                    break;
                case "header" when value is not null:
                    headers.Add((parameter.Name, value));
                    break;
            }
        }

        if (wrong > 0 && random.Next(4) == 0)
        {
            query.Add(Pick(random, ["unknown=1", "limit=1&limit=2", "=", "&&", "%", "cursor=AAAA", "status=running,failed", "status="]));
        }

        var request = new HttpRequestMessage(operation.Method, path + (query.Count > 0 ? "?" + string.Join('&', query) : ""));
        if (operation.Members.Count > 0)
        {
            request.Content = Body(random, operation, wrong);
        }

        if (random.Next(5) == 0)
        {
            headers.Add((Pick(random, ["If-None-Match", "If-Match", "Range", "Accept", "If-Range"]), Pick(random, ["*", "\"1\"", "W/\"x\"", "bytes=0-", "bytes=5-1", "bytes=-99999999999999999999", "text/html", "é", "\"", ""])));
        }

        foreach ((string name, string value) in headers)
        {
            // What can't be sent as a header is for other tests, on the wire.
            if (!value.Any(char.IsControl) && value.All(char.IsAscii))
            {
                request.Headers.TryAddWithoutValidation(name, value);
            }
        }

        return request;
    }

    private static string Pick(Random random, IReadOnlyList<string> from) => from[random.Next(from.Count)];

    private string? Good(Random random, Operation operation, string name) => name switch
    {
        "server" when operation.Path.Contains("{server}", StringComparison.Ordinal) => Pick(random, _servers),
        "id" when operation.Path.StartsWith("/jobs", StringComparison.Ordinal) => _job,

        // An image that is deleted can't be asked for any more.
        "id" => operation.Method == HttpMethod.Delete ? Guid.NewGuid().ToString() : _image,
        "Idempotency-Key" => random.Next(2) == 0 ? null : Guid.NewGuid().ToString(),
        "wait" => "0",
        "limit" => random.Next(2) == 0 ? null : "2",
        "status" => random.Next(2) == 0 ? null : "succeeded",
        _ => null,
    };

    private static HttpContent Body(Random random, Operation operation, int wrong)
    {
        if (wrong > 0 && random.Next(6) == 0)
        {
            return Nonsense(random);
        }

        var members = new List<string>();
        if (operation.Members.Contains("name"))
        {
            members.Add("\"name\":\"fuzz\"");
        }

        for (; wrong > 0; wrong--)
        {
            string member = random.Next(8) == 0 ? "unknown" : Pick(random, operation.Members);
            members.RemoveAll(m => random.Next(6) > 0 && m.StartsWith($"\"{member}\":", StringComparison.Ordinal));
            string value = random.Next(3) == 0 ? JsonValue.Create(Pick(random, Texts)).ToJsonString() : Pick(random, Values);
            members.Add($"\"{member}\":{value}");
        }

        return new StringContent($"{{{string.Join(',', members)}}}", Encoding.UTF8, "application/json");
    }

    private static ByteArrayContent Nonsense(Random random)
    {
        byte[] bytes = random.Next(8) switch
        {
            0 => [],
            1 => "[]"u8.ToArray(),
            2 => "{\"name\":\"a\""u8.ToArray(),
            3 => [.. "{\"name\":\""u8, 0xFF, 0xFE, .. "\"}"u8],
            4 => Encoding.UTF8.GetBytes($"{{\"name\":\"a\",\"metadata\":{new string('[', 100)}{new string(']', 100)}}}"),
            5 => Encoding.UTF8.GetBytes($"{{\"name\":\"a\",\"metadata\":{{{string.Join(',', Enumerable.Range(0, 5000).Select(i => $"\"k{i}\":\"v\""))}}}}}"),
            6 => Encoding.UTF8.GetBytes($"{{\"name\":\"{new string('x', 70_000)}\"}}"),
            _ => Encoding.UTF8.GetBytes("{\"name\":\"a\"} trailing"),
        };
        var content = new ByteArrayContent(bytes);
        string type = Pick(random, ["application/json", "application/json; charset=utf-8", "application/json; charset=latin1", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]);
        content.Headers.ContentType = MediaTypeHeaderValue.Parse(type);
        return content;
    }

    private sealed record Parameter(string Name, string In);

    private sealed record Operation(HttpMethod Method, string Path, IReadOnlyList<Parameter> Parameters, IReadOnlyList<string> Members);
}
