using System.Text.Json;
using System.Text.Json.Nodes;

namespace SnapshotApi.Tests.Api;

public class OpenApiTests(ApiFixture service) : IClassFixture<ApiFixture>
{
    private const string UpdateVariable = "UPDATE_OPENAPI";

    [Fact]
    public async Task The_committed_description_is_the_one_that_is_served()
    {
        string served = await ReadAsync();
        string path = Path.Combine(RepositoryFiles.Root, "openapi", "snapshotapi.v1.json");
        if (Environment.GetEnvironmentVariable(UpdateVariable) == "1")
        {
            await File.WriteAllTextAsync(path, served, TestContext.Current.CancellationToken);
        }

        string committed = await File.ReadAllTextAsync(path, TestContext.Current.CancellationToken);

        Assert.True(
            committed == served,
            $"openapi/snapshotapi.v1.json is not what the code serves: run the tests with {UpdateVariable}=1 "
            + "and review the difference");
    }

    [Fact]
    public async Task Every_operation_can_be_read_aloud()
    {
        JsonNode document = JsonNode.Parse(await ReadAsync())!;

        foreach ((string path, JsonNode operation) in Operations(document))
        {
            Assert.False(string.IsNullOrWhiteSpace((string?)operation["summary"]), $"{path} has no summary");
            Assert.False(string.IsNullOrWhiteSpace((string?)operation["description"]), $"{path} has no description");
            Assert.Matches("^[a-z]+[A-Za-z]+$", (string?)operation["operationId"]);
            Assert.NotEmpty(operation["tags"]!.AsArray());
            Assert.All(operation["parameters"]?.AsArray() ?? [], p =>
                Assert.False(
                    string.IsNullOrWhiteSpace((string?)p!["description"]),
                    $"{path}: parameter {p["name"]} has no description"));
            Assert.All(operation["responses"]!.AsObject(), r =>
                Assert.False(
                    string.IsNullOrWhiteSpace((string?)r.Value!["description"]),
                    $"{path}: answer {r.Key} has no description"));
        }
    }

    [Fact]
    public async Task Every_operation_documents_its_errors_with_examples()
    {
        JsonNode document = JsonNode.Parse(await ReadAsync())!;

        foreach ((string path, JsonNode operation) in Operations(document).Where(
            o => !o.Path.Contains("/health/", StringComparison.Ordinal)))
        {
            Dictionary<int, JsonNode> errors = operation["responses"]!.AsObject()
                .Where(r => int.Parse(r.Key, System.Globalization.CultureInfo.InvariantCulture) >= 400)
                .ToDictionary(r => int.Parse(r.Key, System.Globalization.CultureInfo.InvariantCulture), r => r.Value!);
            Assert.Contains(500, errors.Keys);
            Assert.Contains(503, errors.Keys);
            foreach ((int status, JsonNode error) in errors)
            {
                JsonObject examples = error["content"]!["application/problem+json"]!["examples"]!.AsObject();
                Assert.All(examples, e => Assert.Equal(e.Key, (string?)e.Value!["value"]!["code"]));
                Assert.All(examples, e => Assert.Equal(status, (int)e.Value!["value"]!["status"]!));
                Assert.All(
                    examples,
                    e => Assert.Contains($"`{e.Key}`", (string?)error["description"], StringComparison.Ordinal));
            }
        }
    }

    [Fact]
    public async Task Every_member_of_a_contract_is_described()
    {
        JsonNode document = JsonNode.Parse(await ReadAsync())!;

        foreach ((string name, JsonNode? schema) in document["components"]!["schemas"]!.AsObject())
        {
            Assert.False(string.IsNullOrWhiteSpace((string?)schema!["description"]), $"{name} is not described");
            Assert.All(schema["properties"]?.AsObject() ?? [], p =>
                Assert.False(
                    string.IsNullOrWhiteSpace((string?)p.Value!["description"]), $"{name}.{p.Key} is not described"));
        }
    }

    [Fact]
    public async Task Only_requests_have_closed_lists_of_values()
    {
        JsonNode document = JsonNode.Parse(await ReadAsync())!;

        Assert.Equal(
            ["JobStatus", "SnapshotBody"],
            from schema in document["components"]!["schemas"]!.AsObject()
            where schema.Value!.ToJsonString().Contains("\"enum\":", StringComparison.Ordinal)
            select schema.Key);
        Assert.DoesNotContain(
            "#/components/schemas/JobStatus", document["components"]!.ToJsonString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Operation_ids_are_unique()
    {
        JsonNode document = JsonNode.Parse(await ReadAsync())!;

        Assert.Distinct(Operations(document).Select(o => (string?)o.Operation["operationId"]));
    }

    private static IEnumerable<(string Path, JsonNode Operation)> Operations(JsonNode document) =>
        from path in document["paths"]!.AsObject()
        from operation in path.Value!.AsObject()
        select ($"{operation.Key} {path.Key}", operation.Value!);

    private async Task<string> ReadAsync()
    {
        string json = await service.Client.GetStringAsync(
            "/swagger/v1/swagger.json", TestContext.Current.CancellationToken);
        using JsonDocument _ = JsonDocument.Parse(json);
        return json.ReplaceLineEndings("\n").TrimEnd() + "\n";
    }
}
