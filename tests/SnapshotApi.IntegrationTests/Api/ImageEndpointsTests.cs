using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;

namespace SnapshotApi.IntegrationTests.Api;

public sealed class ImageEndpointsTests(ServiceFixture service) : IClassFixture<ServiceFixture>
{
    private static readonly byte[] Content = RandomNumberGenerator.GetBytes(300_000);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_image_is_listed_and_shown()
    {
        (string id, JsonElement job) = await PublishAsync();

        JsonElement image = await service.ReadAsync($"/images/{id}");
        JsonElement page = await service.ReadAsync($"/images?job={job.GetProperty("id").GetString()}&server={job.GetProperty("server").GetProperty("id").GetString()}");

        Assert.Equal("snap1", image.GetProperty("name").GetString());
        Assert.Equal(Content.Length, image.GetProperty("sizeBytes").GetInt64());
        Assert.Equal("storage", image.GetProperty("properties").GetProperty("team").GetString());
        Assert.Equal($"/images/{id}/file", image.GetProperty("links").GetProperty("file").GetString());
        Assert.Equal(id, Assert.Single(page.GetProperty("items").EnumerateArray()).GetProperty("id").GetString());
    }

    [Fact]
    public async Task Images_are_paged_newest_first()
    {
        string server = (await service.AddServerAsync()).Id.ToString();
        service.PublishFile("x"u8.ToArray());
        var ids = new List<string>();
        for (int i = 0; i < 3; i++)
        {
            ids.Insert(0, IdOf(await service.RunAsync(server)));
        }

        JsonElement all = await service.ReadAsync($"/images?server={server}&limit=3");
        JsonElement first = await service.ReadAsync($"/images?server={server}&limit=2");
        JsonElement second = await service.ReadAsync(first.GetProperty("next").GetString()!);

        Assert.Equal(ids, first.GetProperty("items").EnumerateArray().Concat(second.GetProperty("items").EnumerateArray())
            .Select(i => i.GetProperty("id").GetString()));
        Assert.Equal(JsonValueKind.Null, second.GetProperty("next").ValueKind);
        Assert.Equal((3, JsonValueKind.Null), (all.GetProperty("items").GetArrayLength(), all.GetProperty("next").ValueKind));
    }

    [Fact]
    public async Task A_download_is_the_file_with_its_digest()
    {
        (string id, _) = await PublishAsync();
        string digest = Convert.ToHexStringLower(SHA256.HashData(Content));

        using HttpResponseMessage response = await service.Client.GetAsync($"/images/{id}/file", Cancellation);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(Content, await response.Content.ReadAsByteArrayAsync(Cancellation));
        Assert.Equal($"\"sha256:{digest}\"", response.Headers.ETag?.Tag);
        Assert.Equal($"sha-256=:{Convert.ToBase64String(SHA256.HashData(Content))}:", Assert.Single(response.Headers.GetValues("Repr-Digest")));
        Assert.Equal("snap1-vda.qcow2", response.Content.Headers.ContentDisposition?.FileName);
        Assert.Equal("attachment", response.Content.Headers.ContentDisposition?.DispositionType);
        Assert.Equal(["bytes"], response.Headers.AcceptRanges);
    }

    [Fact]
    public async Task HEAD_tells_the_length_and_sends_nothing()
    {
        (string id, _) = await PublishAsync();

        using HttpResponseMessage response = await service.Client.SendAsync(new HttpRequestMessage(HttpMethod.Head, $"/images/{id}/file"), Cancellation);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(Content.Length, response.Content.Headers.ContentLength);
        Assert.NotNull(response.Headers.ETag);
        Assert.Empty(await response.Content.ReadAsByteArrayAsync(Cancellation));
    }

    [Fact]
    public async Task A_broken_download_goes_on_where_it_ended_if_the_image_is_the_same()
    {
        (string id, _) = await PublishAsync();
        using HttpResponseMessage head = await service.Client.SendAsync(new HttpRequestMessage(HttpMethod.Head, $"/images/{id}/file"), Cancellation);

        using HttpResponseMessage rest = await GetFileAsync(id, r => (r.Headers.Range, r.Headers.IfRange) = (new RangeHeaderValue(200_000, null), new RangeConditionHeaderValue(head.Headers.ETag!)));
        using HttpResponseMessage changed = await GetFileAsync(id, r => (r.Headers.Range, r.Headers.IfRange) = (new RangeHeaderValue(200_000, null), new RangeConditionHeaderValue("\"sha256:other\"")));
        using HttpResponseMessage middle = await GetFileAsync(id, r => r.Headers.Range = new RangeHeaderValue(10, 19));
        using HttpResponseMessage known = await GetFileAsync(id, r => r.Headers.IfNoneMatch.Add(head.Headers.ETag!));

        Assert.Equal(HttpStatusCode.PartialContent, rest.StatusCode);
        Assert.Equal(Content[200_000..], await rest.Content.ReadAsByteArrayAsync(Cancellation));
        Assert.Equal(new ContentRangeHeaderValue(200_000, 299_999, 300_000), rest.Content.Headers.ContentRange);
        Assert.Equal(HttpStatusCode.OK, changed.StatusCode);
        Assert.Equal(Content, await changed.Content.ReadAsByteArrayAsync(Cancellation));
        Assert.Equal(Content[10..20], await middle.Content.ReadAsByteArrayAsync(Cancellation));
        Assert.Equal(HttpStatusCode.NotModified, known.StatusCode);
    }

    [Fact]
    public async Task A_range_outside_of_the_file_is_a_problem_document()
    {
        (string id, _) = await PublishAsync();

        using HttpResponseMessage response = await GetFileAsync(id, r => r.Headers.Range = new RangeHeaderValue(300_000, null));

        await ServiceFixture.ProblemAsync(response, 416, "range_not_satisfiable");
        Assert.Equal(300_000, response.Content.Headers.ContentRange?.Length);
    }

    [Fact]
    public async Task A_deleted_image_is_gone_with_its_file()
    {
        (string id, _) = await PublishAsync();

        using HttpResponseMessage deleted = await service.Client.DeleteAsync($"/images/{id}", Cancellation);
        using HttpResponseMessage again = await service.Client.DeleteAsync($"/images/{id}", Cancellation);
        using HttpResponseMessage file = await service.Client.GetAsync($"/images/{id}/file", Cancellation);

        Assert.Equal(HttpStatusCode.NoContent, deleted.StatusCode);
        Assert.False(File.Exists(FileOf(id)));
        await ServiceFixture.ProblemAsync(again, 404, "image_not_found");
        await ServiceFixture.ProblemAsync(file, 404, "image_not_found");
    }

    [Fact]
    public async Task A_file_that_is_not_what_was_recorded_is_not_served()
    {
        (string shortened, _) = await PublishAsync();
        (string lost, _) = await PublishAsync();
        await File.WriteAllBytesAsync(FileOf(shortened), Content[..1000], Cancellation);
        File.Delete(FileOf(lost));

        using HttpResponseMessage shorter = await service.Client.GetAsync($"/images/{shortened}/file", Cancellation);
        using HttpResponseMessage gone = await service.Client.GetAsync($"/images/{lost}/file", Cancellation);
        using HttpResponseMessage deleted = await service.Client.DeleteAsync($"/images/{lost}", Cancellation);

        JsonElement problem = await ServiceFixture.ProblemAsync(shorter, 502, "store_failed");
        Assert.DoesNotContain(service.Service.StoreDirectory, problem.GetRawText(), StringComparison.Ordinal);
        await ServiceFixture.ProblemAsync(gone, 404, "image_not_found");
        Assert.Equal(HttpStatusCode.NoContent, deleted.StatusCode);
    }

    [Fact]
    public async Task Another_process_that_can_not_see_the_file_says_where_it_is()
    {
        (string id, _) = await PublishAsync();
        string connectionString = service.Service.Services.GetRequiredService<Microsoft.Extensions.Configuration.IConfiguration>()["ConnectionStrings:Snapshots"]!;
        DirectoryInfo directory = Directory.CreateTempSubdirectory("sa-");
        await using var other = new RunningService(connectionString, directory.FullName, new Dictionary<string, string> { ["Role"] = "api" });
        other.StartServer();
        using HttpClient client = other.CreateClient();

        using HttpResponseMessage file = await client.GetAsync($"/images/{id}/file", Cancellation);
        using HttpResponseMessage deleted = await client.DeleteAsync($"/images/{id}", Cancellation);

        directory.Delete(recursive: true);
        Assert.Contains("kvm1", (await ServiceFixture.ProblemAsync(file, 409, "image_not_local")).GetProperty("detail").GetString(), StringComparison.Ordinal);
        await ServiceFixture.ProblemAsync(deleted, 409, "image_not_local");
        Assert.True(File.Exists(FileOf(id)));
    }

    private static string IdOf(JsonElement job) => job.GetProperty("disks")[0].GetProperty("image").GetProperty("id").GetString()!;

    private string FileOf(string id) => Path.Combine(service.Service.StoreDirectory, $"{id}.qcow2");

    private async Task<(string Id, JsonElement Job)> PublishAsync()
    {
        service.PublishFile(Content);
        JsonElement job = await service.RunAsync();
        return (IdOf(job), job);
    }

    private async Task<HttpResponseMessage> GetFileAsync(string id, Action<HttpRequestMessage> change)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, $"/images/{id}/file");
        change(request);
        return await service.Client.SendAsync(request, Cancellation);
    }
}
